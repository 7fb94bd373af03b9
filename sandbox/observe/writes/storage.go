package writes

import (
	"slices"
	"strconv"
	"strings"
)

// storageLoop returns the loop of a write by which Kubernetes or a provisioner assigns volumes to a
// Pod: the StatefulSet controller creates a claim, the scheduler selects the node for the claims of a
// Pod, a provisioner creates the volume of a claim, and kube-controller-manager binds both. No owner
// relates these objects.
func (s *Store) storageLoop(w *Write, v *version) (l loop, found bool) {
	if w.Object.Group != "" {
		return loop{}, false
	}
	l = loop{w.Manager, w.Object}
	switch w.Object.Kind + " " + w.Verb {
	case "PersistentVolumeClaim create":
		l.object, found = s.setOf(w.Object)
		return l, found && w.Manager == kubeManager
	case "PersistentVolumeClaim update":
		if w.Manager == kubeScheduler {
			l.object, found = s.podOf(v)
			return l, found
		}
		// The StatefulSet controller only writes the owners of a claim that it created.
		return l, w.Manager == kubeManager && !slices.Contains(w.Fields, "metadata.ownerReferences")
	case "PersistentVolume create":
		l.object, found = s.claimOf(v)
		return l, found
	case "PersistentVolume update":
		return l, w.Manager == kubeManager
	}
	return loop{}, false
}

// setOf returns the StatefulSet for whose Pod a claim was created. The claim's name is
// TEMPLATE-SET-NUMBER. It has an owner only if the claims are deleted with their set.
func (s *Store) setOf(claim Object) (Object, bool) {
	at := strings.LastIndexByte(claim.Name, '-')
	if at < 0 {
		return Object{}, false
	}
	name, number := claim.Name[:at], claim.Name[at+1:]
	if _, err := strconv.ParseUint(number, 10, 31); err != nil {
		return Object{}, false
	}
	for _, rest, found := strings.Cut(name, "-"); found; _, rest, found = strings.Cut(rest, "-") {
		for uid := range s.named[place{claim.Namespace, rest}] {
			if set := s.objects[uid].now.object; set.Group == "apps" && set.Kind == "StatefulSet" {
				return set, true
			}
		}
	}
	return Object{}, false
}

// podOf returns a Pod that uses a claim.
func (s *Store) podOf(claim *version) (Object, bool) {
	for uid := range s.mentioning[claim.object.Name] {
		if o := s.objects[uid]; o.now.object.Kind == "Pod" && !o.gone && o.now.mentionOf(claim.object) == Reference {
			return o.now.object, true
		}
	}
	return Object{}, false
}

// claimOf returns the claim that a new volume is for. The volume also names the claim's namespace.
func (s *Store) claimOf(volume *version) (Object, bool) {
	for _, m := range volume.mentions {
		for _, space := range volume.mentions {
			for uid := range s.named[place{space.name, m.name}] {
				if claim := s.objects[uid].now.object; claim.Kind == "PersistentVolumeClaim" && volume.mentionOf(claim) == Reference {
					return claim, true
				}
			}
		}
	}
	return Object{}, false
}
