package writes

import "slices"

// storageLoop returns the loop of a write by which Kubernetes or a provisioner assigns a
// volume to a claim: the scheduler selects the node for the claims of a Pod, a provisioner creates the volume of
// a claim, and kube-controller-manager binds both. No owner relates these objects.
func (s *Store) storageLoop(w *Write, v *version) (l loop, found bool) {
	if w.Object.Group != "" {
		return loop{}, false
	}
	l = loop{w.Manager, w.Object}
	switch w.Object.Kind + " " + w.Verb {
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
