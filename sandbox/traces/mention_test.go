package traces

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/selftrace"
)

// foreignStore is a Jaeger with the traces of one service.
type foreignStore map[string][]tracetree.Trace

func (s foreignStore) GetTrace(context.Context, string) (tracetree.Trace, error) {
	return tracetree.Trace{}, tracetree.ErrNotFound
}

func (s foreignStore) Services(context.Context) (names []string, err error) {
	for name := range s {
		names = append(names, name)
	}
	return names, nil
}

func (s foreignStore) FindTraces(_ context.Context, q tracetree.Query) ([]tracetree.Trace, error) {
	if len(q.Tags) > 0 {
		return nil, nil // No span has the attributes of the library.
	}
	return s[q.Service], nil
}

func foreignTrace(id byte, start time.Time, key, value string) tracetree.Trace {
	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{id})
	span.SetSpanID(pcommon.SpanID{id})
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	span.Attributes().PutStr(key, value)
	return tracetree.FromOTLP(traces)[0]
}

// The trace of an operator with tracing of its own is found by the object's name and the time of its
// change.
func TestFindCurrentByName(t *testing.T) {
	t.Parallel()
	changed := time.Unix(1_000_000, 0)
	live := &unstructured.Unstructured{}
	live.SetNamespace("team")
	live.SetName("web")
	live.SetUID("u")
	live.SetCreationTimestamp(metav1.NewTime(changed.Add(-time.Hour)))
	live.SetManagedFields([]metav1.ManagedFieldsEntry{
		{Manager: "kubectl", Time: &metav1.Time{Time: changed}}, {Manager: "op", Subresource: "status", Time: &metav1.Time{Time: changed.Add(time.Minute)}},
	})
	for name, test := range map[string]struct {
		store foreignStore
		want  byte
	}{
		"the name":                   {foreignStore{"op": {foreignTrace(1, changed.Add(time.Second), "object", "web")}}, 1},
		"the namespace and the name": {foreignStore{"op": {foreignTrace(1, changed, "key", "team/web")}}, 1},
		"a path":                     {foreignStore{"op": {foreignTrace(1, changed, "url.path", "/apis/x/v1/namespaces/team/caches/web")}}, 1},
		"the first after the change": {foreignStore{"op": {foreignTrace(2, changed.Add(2*time.Second), "a", "web"), foreignTrace(1, changed.Add(time.Second), "a", "web")}}, 1},
		"of any service":             {foreignStore{"a": nil, "op": {foreignTrace(1, changed, "a", "web")}}, 1},
		"an earlier trace":           {foreignStore{"op": {foreignTrace(1, changed.Add(-time.Second), "a", "web")}}, 0},
		"another name":               {foreignStore{"op": {foreignTrace(1, changed, "a", "web-2"), foreignTrace(2, changed, "a", "cobweb")}}, 0},
		"a namespace":                {foreignStore{"op": {foreignTrace(1, changed, "k8s.namespace.name", "web")}}, 0},
		"the sandbox's own":          {foreignStore{selftrace.Service: {foreignTrace(1, changed, "a", "web")}}, 0},
		"nothing":                    {foreignStore{}, 0},
	} {
		trace, known, err := findCurrent(t.Context(), test.store, live)
		if test.want == 0 {
			if !errors.Is(err, tracetree.ErrNotFound) {
				t.Errorf("%s: findCurrent() = %s, %v; want ErrNotFound", name, trace.ID, err)
			}
			continue
		}
		if want := (pcommon.TraceID{test.want}).String(); err != nil || !known || trace.ID != want {
			t.Errorf("%s: findCurrent() = %s, %t, %v; want %s", name, trace.ID, known, err, want)
		}
	}
}
