package tracing

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// objectFacts is what this package remembers of an object that was read or written. It shares no memory with the object that the
// operator may change.
type objectFacts struct {
	uid        types.UID
	version    string // resourceVersion
	generation int64
	created    time.Time
	controller types.UID // of the controlling owner
	finalizers []string
	stored     *storedContext // nil for no valid context
	status     *objectStatus  // nil if it was not read
}

// factsOf copies the facts. It does not read the context, which costs more than the rest.
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

// mainWritten returns when the object was last written other than by a subresource, to the second, by its managed fields. It is
// zero if the object has none, as in a cache that strips them.
func mainWritten(obj client.Object) time.Time {
	var last time.Time
	for _, entry := range obj.GetManagedFields() {
		if entry.Subresource == "" && entry.Time != nil && entry.Time.After(last) {
			last = entry.Time.Time
		}
	}
	return last
}

// finalizersBetween returns those that after has and before has not, and the other way round.
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
