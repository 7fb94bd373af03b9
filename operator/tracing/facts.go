package tracing

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// objectFacts holds the remembered fields of an object that was read or written. It shares no
// memory with the object, which the operator may change.
type objectFacts struct {
	uid        types.UID
	version    string // resourceVersion
	generation int64
	created    time.Time
	controller types.UID // UID of the controlling owner
	finalizers []string
	stored     *storedContext // nil without a valid context
	status     *objectStatus  // nil if the status was not read
}

// factsOf copies the facts of an object. It does not read the context and the status, which cost
// more than the rest.
func factsOf(obj client.Object) objectFacts {
	f := objectFacts{
		uid:        obj.GetUID(),
		version:    obj.GetResourceVersion(),
		generation: obj.GetGeneration(),
		created:    obj.GetCreationTimestamp().Time,
		finalizers: slices.Clone(obj.GetFinalizers()),
	}
	if ref := metav1.GetControllerOfNoCopy(obj); ref != nil {
		f.controller = ref.UID
	}
	return f
}

// mainWritten returns the time of the last write that was not a subresource's, from the object's
// managed fields, in whole seconds. It is zero without managed fields, for example in a cache that
// strips them.
func mainWritten(obj client.Object) time.Time {
	var last time.Time
	for _, entry := range obj.GetManagedFields() {
		if entry.Subresource == "" && entry.Time != nil && entry.Time.After(last) {
			last = entry.Time.Time
		}
	}
	return last
}

// finalizersBetween returns the finalizers that are only in after as added, and the finalizers that
// are only in before as removed.
func finalizersBetween(before, after []string) (added, removed []string) {
	if slices.Equal(before, after) {
		return nil, nil
	}
	return without(after, before), without(before, after)
}

// without returns the items of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(name string) bool { return slices.Contains(b, name) })
}
