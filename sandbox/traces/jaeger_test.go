package traces

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// fakeJaeger is a query API over HTTP with one service. It keeps traces by their IDs.
type fakeJaeger struct {
	mu     sync.Mutex
	traces map[string]ptrace.Traces
	down   bool
}

// add adds a trace of one span that ended a minute ago, with attributes.
func (j *fakeJaeger) add(t *testing.T, id string, attributes map[string]any) {
	t.Helper()
	raw, err := hex.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "op")
	span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID(raw))
	span.SetSpanID(pcommon.SpanID{1})
	span.SetName("reconcile")
	span.SetKind(ptrace.SpanKindConsumer)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now().Add(-time.Minute)))
	span.SetEndTimestamp(span.StartTimestamp())
	if err := span.Attributes().FromRaw(attributes); err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.traces[id] = traces
}

// orphan sets a parent that Jaeger lost, on the span of a trace.
func (j *fakeJaeger) orphan(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.traces[id].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetParentSpanID(pcommon.SpanID{2})
}

func (j *fakeJaeger) setDown(down bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.down = down
}

// ServeHTTP implements http.Handler.
func (j *fakeJaeger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	all := ptrace.NewTraces()
	switch id := path.Base(r.URL.Path); id {
	case "services":
		fmt.Fprint(w, `{"services": ["op"]}`)
		return
	case "traces":
		for _, traces := range j.traces {
			copied := ptrace.NewTraces()
			traces.CopyTo(copied)
			copied.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
		}
	default:
		traces, found := j.traces[strings.Repeat("0", 32-len(id))+id]
		if !found {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error": {"httpCode": 404, "message": "trace not found"}}`)
			return
		}
		traces.CopyTo(all)
	}
	data, err := new(ptrace.JSONMarshaler).MarshalTraces(all)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
	fmt.Fprintf(w, `{"result": %s}`, data)
}

// fakeAccess is the way to a fake Jaeger.
type fakeAccess struct {
	provider.Access
	addresses provider.Addresses
	err       error
}

func (a fakeAccess) Reach(context.Context) error   { return a.err }
func (a fakeAccess) Addresses() provider.Addresses { return a.addresses }

// newReader returns a reader of a session, with a Jaeger of its own.
func newReader(t *testing.T, s *session.Session) (*Reader, *fakeJaeger) {
	t.Helper()
	jaeger := &fakeJaeger{traces: map[string]ptrace.Traces{}}
	server := httptest.NewServer(jaeger)
	t.Cleanup(server.Close)
	return NewReader(s, func() (provider.Access, error) {
		return fakeAccess{addresses: provider.Addresses{component.UI: server.URL}}, nil
	}), jaeger
}

func TestAsks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		target state.Target
		want   bool
	}{
		{state.Target{}, true},
		{state.Target{JaegerEndpoint: "j:4317"}, false},
		{state.Target{JaegerEndpoint: "j:4317", JaegerQuery: "http://j"}, true},
	} {
		reader := NewReader(&session.Session{Record: state.Record{Target: test.target}}, nil)
		if got := reader.Asks(); got != test.want {
			t.Errorf("Asks() with the target %+v = %t, want %t", test.target, got, test.want)
		}
	}
}

// A Jaeger that cannot be reached fails each request with the reason.
func TestReaderWithoutJaeger(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, test := range map[string]struct {
		access func() (provider.Access, error)
		want   error
	}{
		"the sandbox is down": {func() (provider.Access, error) { return nil, session.ErrDown }, session.ErrDown},
		"no query URL":        {func() (provider.Access, error) { return fakeAccess{err: provider.ErrNoQuery}, nil }, provider.ErrNoQuery},
		"nothing listens": {func() (provider.Access, error) {
			return fakeAccess{addresses: provider.Addresses{component.UI: closed.URL}}, nil
		}, tracetree.ErrUnreachable},
		"no gRPC either": {func() (provider.Access, error) {
			return fakeAccess{addresses: provider.Addresses{component.UI: closed.URL, component.Query: closed.Listener.Addr().String()}}, nil
		}, tracetree.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reader := NewReader(&session.Session{}, test.access)
			if _, err := reader.TraceWithID(t.Context(), firstTrace); !errors.Is(err, test.want) {
				t.Errorf("TraceWithID() = %v, want %v", err, test.want)
			}
		})
	}
}

func TestTraceWithID(t *testing.T) {
	t.Parallel()
	reader, jaeger := newReader(t, &session.Session{})
	jaeger.add(t, "0000000000000000000000000000abcd", nil)
	for id, want := range map[string]error{"abcd": nil, "0000000000000000000000000000abcd": nil, firstTrace: tracetree.ErrNotFound} {
		trace, err := reader.TraceWithID(t.Context(), id)
		if !errors.Is(err, want) || err == nil && trace.Len() != 1 {
			t.Errorf("TraceWithID(%s) = %d spans, %v; want %v", id, trace.Len(), err, want)
		}
	}
}
