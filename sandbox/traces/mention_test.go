package traces

import (
	"context"
	"errors"
	"strings"
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

// brokenStore fails some requests, and counts the searches.
type brokenStore struct {
	foreignStore
	listing, searching error
	searched           *int
}

func (s brokenStore) Services(ctx context.Context) ([]string, error) {
	if s.listing != nil {
		return nil, s.listing
	}
	return s.foreignStore.Services(ctx)
}

func (s brokenStore) FindTraces(ctx context.Context, q tracetree.Query) ([]tracetree.Trace, error) {
	if len(q.Tags) == 0 {
		*s.searched++
		if s.searching != nil {
			return nil, s.searching
		}
	}
	return s.foreignStore.FindTraces(ctx, q)
}

// If a search fails, Jaeger is not reported as broken: the error stays ErrNotFound. The
// number of searched services is limited.
func TestFindCurrentOfABrokenStore(t *testing.T) {
	t.Parallel()
	many := foreignStore{}
	for i := range 2 * mostServices {
		many[strings.Repeat("s", i+1)] = nil
	}
	for name, test := range map[string]struct {
		store    brokenStore
		searches int
		want     error
	}{
		"no search":     {brokenStore{foreignStore: foreignStore{"op": nil}, searching: errors.New("refused")}, 1, tracetree.ErrNotFound},
		"many services": {brokenStore{foreignStore: many}, mostServices, tracetree.ErrNotFound},
	} {
		test.store.searched = new(int)
		live := &unstructured.Unstructured{}
		live.SetName("web")
		live.SetUID("u")
		trace, known, err := findCurrent(t.Context(), test.store, live)
		if !errors.Is(err, test.want) || known || trace.Len() != 0 || *test.store.searched != test.searches {
			t.Errorf("%s: findCurrent() = %d spans, %t, %v after %d searches; want %v after %d", name, trace.Len(), known, err, *test.store.searched, test.want, test.searches)
		}
	}
	listing := errors.New("no services")
	_, _, err := findCurrent(t.Context(), brokenStore{foreignStore: many, listing: listing, searched: new(int)}, &unstructured.Unstructured{})
	if !errors.Is(err, listing) {
		t.Errorf("findCurrent() without a list of services = %v, want %v", err, listing)
	}
}

func TestLastChange(t *testing.T) {
	t.Parallel()
	at := func(seconds int64) *metav1.Time { return &metav1.Time{Time: time.Unix(seconds, 0)} }
	for name, test := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		want   int64
	}{
		"never changed":         {nil, 10},
		"changed":               {[]metav1.ManagedFieldsEntry{{Time: at(20)}}, 20},
		"the latest of several": {[]metav1.ManagedFieldsEntry{{Time: at(30)}, {Time: at(20)}}, 30},
		"only its status":       {[]metav1.ManagedFieldsEntry{{Time: at(20), Subresource: "status"}}, 10},
		"without a time":        {[]metav1.ManagedFieldsEntry{{}}, 10},
		"before its creation":   {[]metav1.ManagedFieldsEntry{{Time: at(5)}}, 10},
	} {
		live := &unstructured.Unstructured{}
		live.SetCreationTimestamp(*at(10))
		live.SetManagedFields(test.fields)
		if got := lastChange(live).Unix(); got != test.want {
			t.Errorf("%s: lastChange() = %d, want %d", name, got, test.want)
		}
	}
}

// An attribute of any type names an object, and the first span since the change counts.
func TestMentions(t *testing.T) {
	t.Parallel()
	changed := time.Unix(100, 0)
	for _, test := range []struct {
		key, value string
		start      int64
		want       int64
	}{
		{"a", "web", 100, 100},
		{"a", "web", 150, 150},
		{"a", "web", 99, 0},
		{"a", "team/web", 100, 100},
		{"a", "other/web", 100, 100}, // The end of a path.
		{"a", "web/other", 100, 0},
		{"a", "WEB", 100, 0},
		{"a", "", 100, 0},
		{"k8s.namespace.name", "team/web", 100, 100},
		{"namespace", "web", 100, 0},
	} {
		got := mentions(foreignTrace(1, time.Unix(test.start, 0), test.key, test.value), "team", "web", changed)
		if want := time.Unix(test.want, 0); got.IsZero() != (test.want == 0) || !got.IsZero() && !got.Equal(want) {
			t.Errorf("mentions(%s=%s at %d) = %v, want %d", test.key, test.value, test.start, got, test.want)
		}
	}
	if got := mentions(tracetree.Trace{}, "team", "web", changed); !got.IsZero() {
		t.Errorf("mentions(no spans) = %v, want zero", got)
	}
}
