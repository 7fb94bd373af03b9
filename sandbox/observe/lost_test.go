package observe

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// The removal of an object that was lost has no resourceVersion, which is not known.
func TestLostRemove(t *testing.T) {
	t.Parallel()
	s := newStream(t)
	s.play("0 1 ADDED Head h kubectl\n10 2 ADDED ChildA a operator owner=Head/h\n20 3 MODIFIED ChildA a operator remove_finalizer=x")
	for _, name := range []string{"Head/h", "ChildA/a"} {
		gone := &unstructured.Unstructured{Object: map[string]any{}}
		gone.SetUID(s.objects[name].GetUID())
		gone.SetResourceVersion("3")
		s.observer.Add(writes.Change{Object: gone, Deleted: true, Lost: true, At: s.last})
	}
	s.end()
	ids := map[string]bool{}
	removed := 0
	for _, span := range s.spans {
		ids[span.SpanID().String()] = true
		if !strings.HasPrefix(span.Name(), "remove ") {
			continue
		}
		removed++
		_, lost := span.Attributes().Get(AttributeLost)
		_, revision := span.Attributes().Get(AttributeAfter)
		if !lost || revision {
			t.Errorf("%s: lost %t, resourceVersion %t, want only lost", span.Name(), lost, revision)
		}
	}
	if removed != 2 || len(ids) != len(s.spans) {
		t.Errorf("%d removes and %d ids of %d spans, want 2 and one for each", removed, len(ids), len(s.spans))
	}
}
