package related

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

const (
	// maxOwners is the number of owners that are remembered until they are seen, and maxHints the
	// number of fields with references. Further ones are ignored.
	maxOwners = 10_000
	maxHints  = 10_000
	// minKind is the shortest name of a kind that is searched in the names of fields.
	minKind = 3
)

// Kinds are the kinds to watch. The set only grows. Create it with [New]. It is not safe for
// concurrent use.
type Kinds struct {
	targets []writes.Object
	served  map[schema.GroupKind]Resource
	byName  map[string][]schema.GroupKind // by the kind's name in lower case
	// named has the kinds that were found. The value is true if the other kinds of the group are
	// related, too.
	named  map[schema.GroupKind]bool
	owners map[types.UID]bool
	hints  map[string]bool
}

// New returns the kinds that are related to some objects. An empty name is any object of the kind.
func New(targets []writes.Object) *Kinds {
	k := &Kinds{targets: targets, named: map[schema.GroupKind]bool{event: false}, owners: map[types.UID]bool{}, hints: map[string]bool{}}
	for _, t := range targets {
		k.named[schema.GroupKind{Group: t.Group, Kind: t.Kind}] = true
	}
	return k
}

// Serve sets the resources that the API server serves.
func (k *Kinds) Serve(served []Resource) {
	k.served, k.byName = map[schema.GroupKind]Resource{}, map[string][]schema.GroupKind{}
	for _, r := range served {
		kind := r.GroupKind()
		k.served[kind] = r
		if name := strings.ToLower(r.Kind); len(name) >= minKind && !slices.Contains(k.byName[name], kind) {
			k.byName[name] = append(k.byName[name], kind)
		}
	}
	clear(k.hints) // They can name new kinds.
}

// IsMissing reports whether the API server does not serve the kind of a target yet.
func (k *Kinds) IsMissing() bool {
	return slices.ContainsFunc(k.targets, func(t writes.Object) bool {
		_, found := k.served[schema.GroupKind{Group: t.Group, Kind: t.Kind}]
		return !found
	})
}

// Wanted returns the resources to watch, as far as they are served.
func (k *Kinds) Wanted() []Resource {
	var wanted []Resource
	for kind := range k.all() {
		if r, found := k.served[kind]; found {
			wanted = append(wanted, r)
		}
	}
	return wanted
}

// all returns the named kinds and the kinds that follow from them.
func (k *Kinds) all() map[schema.GroupKind]bool {
	found := map[schema.GroupKind]bool{}
	var add func(schema.GroupKind)
	add = func(kind schema.GroupKind) {
		if !found[kind] {
			found[kind] = true
			for _, child := range children[kind] {
				add(child)
			}
		}
	}
	for kind, withGroup := range k.named {
		add(kind)
		if !withGroup || !isCustom(kind.Group) {
			continue
		}
		for _, child := range created {
			add(child)
		}
		for other := range k.served {
			if isCustom(other.Group) && isNear(kind.Group, other.Group) {
				add(other)
			}
		}
	}
	return found
}

// Others returns the resources that are not wanted, and that can have dependents of the targets.
func (k *Kinds) Others() []Resource {
	all := k.all()
	everywhere := slices.ContainsFunc(k.targets, func(t writes.Object) bool {
		r, found := k.served[schema.GroupKind{Group: t.Group, Kind: t.Kind}]
		return found && !r.Namespaced
	})
	var others []Resource
	for kind, r := range k.served {
		if !all[kind] && (r.Namespaced || everywhere) {
			others = append(others, r)
		}
	}
	return others
}

// Depends adds the kind of some objects if an owner of one has a wanted kind. It reports whether the
// kind is new.
func (k *Kinds) Depends(kind schema.GroupKind, objects []metav1.PartialObjectMetadata) bool {
	all := k.all()
	return slices.ContainsFunc(objects, func(object metav1.PartialObjectMetadata) bool {
		return slices.ContainsFunc(object.OwnerReferences, func(o metav1.OwnerReference) bool { return all[ownerKind(o)] })
	}) && k.name(kind, true)
}

// See finds related kinds in an object. changed is true if the object was just written; others are
// ignored unless they are a target or the owner of an object that was seen. See reports whether
// there are new kinds.
func (k *Kinds) See(u *unstructured.Unstructured, changed bool) (grown bool) {
	if !changed && !k.isTarget(u) && !k.owners[u.GetUID()] {
		return false
	}
	kind := u.GroupVersionKind().GroupKind()
	if kind == event {
		return k.seeEvent(u)
	}
	for _, o := range u.GetOwnerReferences() {
		if len(k.owners) < maxOwners {
			k.owners[o.UID] = true
		}
		grown = k.name(ownerKind(o), false) || grown
	}
	writes.References(u, func(name, hint string) {
		if isUbiquitous(name, hint) || k.hints[hint] || len(k.hints) >= maxHints {
			return
		}
		k.hints[hint] = true
		for word := range strings.FieldsSeq(hint) {
			for _, found := range k.called(word, kind.Group) {
				grown = k.name(found, false) || grown
			}
		}
	})
	return grown
}

// seeEvent adds the kinds of the objects that an Event is about.
func (k *Kinds) seeEvent(u *unstructured.Unstructured) (grown bool) {
	for _, field := range []string{"involvedObject", "related"} {
		version, _, _ := unstructured.NestedString(u.Object, field, "apiVersion")
		kind, _, _ := unstructured.NestedString(u.Object, field, "kind")
		grown = k.name(schema.FromAPIVersionAndKind(version, kind).GroupKind(), false) || grown
	}
	return grown
}

func (k *Kinds) isTarget(u *unstructured.Unstructured) bool {
	kind := u.GroupVersionKind()
	return slices.ContainsFunc(k.targets, func(t writes.Object) bool {
		return t.Group == kind.Group && t.Kind == kind.Kind && t.Namespace == u.GetNamespace() && (t.Name == "" || t.Name == u.GetName())
	})
}

// name adds a kind that is served, and reports whether it is new.
func (k *Kinds) name(kind schema.GroupKind, withGroup bool) bool {
	before, found := k.named[kind]
	if _, served := k.served[kind]; !served || found && (before || !withGroup) {
		return false
	}
	k.named[kind] = withGroup
	return true
}

// called returns the kinds that the name of a field contains: of several the longest, so that
// serviceaccountname is not a Service. Of groups that have a kind of that name it returns the group of
// the object, else Kubernetes' groups.
func (k *Kinds) called(word, group string) []schema.GroupKind {
	longest := ""
	for name := range k.byName {
		if len(name) > len(longest) && strings.Contains(word, name) {
			longest = name
		}
	}
	found := k.byName[longest]
	for _, prefers := range []func(schema.GroupKind) bool{
		func(kind schema.GroupKind) bool { return kind.Group == group },
		func(kind schema.GroupKind) bool { return !isCustom(kind.Group) },
	} {
		if slices.ContainsFunc(found, prefers) {
			return slices.DeleteFunc(slices.Clone(found), func(kind schema.GroupKind) bool { return !prefers(kind) })
		}
	}
	return found
}

// isUbiquitous reports whether every Pod has a reference.
func isUbiquitous(name, hint string) bool {
	return name == "kube-root-ca.crt" || name == "default" && strings.Contains(hint, "serviceaccount")
}

func ownerKind(o metav1.OwnerReference) schema.GroupKind {
	return schema.FromAPIVersionAndKind(o.APIVersion, o.Kind).GroupKind()
}

// Names returns the sorted names of kinds, for messages and tests.
func Names(resources []Resource) []string {
	names := map[string]bool{}
	for _, r := range resources {
		names[r.GroupResource().String()] = true
	}
	return slices.Sorted(maps.Keys(names))
}
