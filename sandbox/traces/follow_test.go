package traces

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

const firstTrace, secondTrace = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"

// grown is a trace whose spans ended now. Each span is below the one before; orphan leaves out the first.
func grown(t *testing.T, id string, count int, orphan bool) tracetree.Trace {
	t.Helper()
	text := ""
	for i := range count {
		if i == 0 && orphan {
			continue
		}
		text += fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":%q,"spanId":"%016x","parentSpanId":"%016x","name":"s","startTimeUnixNano":"%d","endTimeUnixNano":"%[4]d"}]}]}]}`,
			id, i+1, i, time.Now().UnixNano())
	}
	traces, err := tracetree.ReadOTLP("test", []byte(text))
	if err != nil || len(traces) != 1 {
		t.Fatalf("%d traces, %v", len(traces), err)
	}
	return traces[0]
}

// What a follower says of an object from before it exists to its next change.
func TestFollowerLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			live             = &unstructured.Unstructured{Object: map[string]any{}}
			missing, unready error
			reading          error
			trace            tracetree.Trace
		)
		annotate := func(id string) {
			live.SetAnnotations(map[string]string{tracetree.TraceparentAnnotation: "00-" + id + "-0123456789abcdef-01"})
		}
		write := func(ago time.Duration) {
			at := metav1.NewTime(time.Now().Add(-ago))
			live.SetManagedFields([]metav1.ManagedFieldsEntry{{Time: &at}})
		}
		f := follower{name: "Head default/web", subject: subject{
			get:   func(context.Context) (*unstructured.Unstructured, error) { return live, missing },
			ready: func(*unstructured.Unstructured) error { return unready },
			find: func(_ context.Context, live *unstructured.Unstructured) (tracetree.Trace, bool, error) {
				id, _, _ := tracetree.TraceIDOf(live.GetAnnotations())
				if reading == nil && (id == "" || id != trace.ID) {
					return tracetree.Trace{ID: id}, false, tracetree.ErrNotFound
				}
				return trace, true, reading
			},
			noTrace: func(_ *unstructured.Unstructured, err error) error { return fmt.Errorf("searched: %w", err) },
		}}
		missing, unready = errors.New("there is none"), errors.New("no condition Ready")
		for _, step := range []struct {
			what    string
			change  func()
			waiting string
			spans   int
			id      string
		}{
			{"no object", func() {}, "there is none", 0, ""},
			{"no context", func() { missing = nil }, "searched: trace not found", 0, ""},
			{"no trace", func() { annotate(firstTrace) }, "Head default/web is not ready: no condition Ready", 0, firstTrace},
			{"ready before its trace", func() { unready = nil }, "Jaeger has no span of Head default/web yet", 0, firstTrace},
			{"a span without its parent", func() { trace = grown(t, firstTrace, 2, true) }, "spans without their place in the tree yet: 1", 1, firstTrace},
			{"all spans", func() { trace = grown(t, firstTrace, 2, false) }, "whether more spans come", 2, firstTrace},
			{"half a second later", func() { <-time.After(tracetree.DefaultQuiet / 2) }, "whether more spans come", 2, firstTrace},
			{"one more span", func() { trace = grown(t, firstTrace, 3, false) }, "whether more spans come", 3, firstTrace},
			{"a quiet second", func() { <-time.After(tracetree.DefaultQuiet) }, "", 3, firstTrace},
			{"not ready again", func() { unready = errors.New("no Pod") }, "Head default/web is not ready: no Pod", 3, firstTrace},
			{"ready, and what made it so has no span yet", func() { unready = nil }, "whether more spans come", 3, firstTrace},
			{"another quiet second", func() { <-time.After(tracetree.DefaultQuiet) }, "", 3, firstTrace},
			{"Jaeger down", func() { reading = tracetree.ErrUnreachable }, tracetree.ErrUnreachable.Error(), 3, firstTrace},
			{"the next change", func() { reading = nil; annotate(secondTrace) }, "Jaeger has no span of Head default/web yet", 0, secondTrace},
			{"a trace", func() { trace = grown(t, secondTrace, 1, false) }, "whether more spans come", 1, secondTrace},
			{"an old trace", func() { trace = grown(t, secondTrace, 2, false); <-time.After(settledTrace) }, "whether more spans come", 2, secondTrace},
			{"of an old object", func() { write(time.Minute) }, "", 2, secondTrace},
			{"that was written", func() { write(0) }, "whether more spans come", 2, secondTrace},
			{"deleted", func() { missing = errors.New("there is none") }, "there is none", 2, secondTrace},
		} {
			step.change()
			got := f.look(t.Context())
			if got.Waiting != step.waiting || got.Trace.Len() != step.spans || got.Trace.ID != step.id {
				t.Errorf("%s: %d spans of trace %q, waiting for %q; want %d of %q and %q", step.what, got.Trace.Len(), got.Trace.ID, got.Waiting, step.spans, step.id, step.waiting)
			}
		}
	})
}
