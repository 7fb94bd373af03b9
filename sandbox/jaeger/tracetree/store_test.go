package tracetree

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"go.uber.org/goleak"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/apiv2"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a Jaeger in memory. It counts the reads of each trace.
type store struct {
	traces   map[string]Trace
	services []string
	reads    map[string]int
	err      map[string]error
}

func newStore(spans ...model.Span) *store {
	s := &store{traces: map[string]Trace{}, reads: map[string]int{}, err: map[string]error{}}
	for _, trace := range FromOTLP(apiv2.Traces(spans)) {
		s.traces[trace.ID] = trace
	}
	for _, span := range spans {
		s.services = append(s.services, span.Process.ServiceName)
	}
	slices.Sort(s.services)
	s.services = slices.Compact(s.services)
	return s
}

func (s *store) GetTrace(_ context.Context, id string) (Trace, error) {
	s.reads[id]++
	if err := s.err[id]; err != nil {
		return Trace{}, err
	}
	if trace, found := s.traces[id]; found {
		return trace, nil
	}
	return Trace{}, fmt.Errorf("reading trace %s: %w", id, ErrNotFound)
}

func (s *store) Services(context.Context) ([]string, error) { return s.services, s.err["services"] }

func (s *store) FindTraces(_ context.Context, q Query) ([]Trace, error) {
	var found []Trace
	for _, id := range slices.Sorted(maps.Keys(s.traces)) {
		if trace := s.traces[id]; q.Matches(trace) {
			found = append(found, trace)
		}
	}
	return found, s.err["search"]
}

// generation is a generation of an object.
type generation struct {
	uid    string
	number int64
}

func (g generation) traceID() model.TraceID {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s/%d", g.uid, g.number)))
	return model.NewTraceID(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16]))
}

func (g generation) id() string { return Continuation(g.uid, g.number) }

func (g generation) tags(more ...model.KeyValue) []model.KeyValue {
	return append(more, model.String(attributeUID, g.uid), model.Int64(attributeGeneration, g.number))
}

// placed returns a span of a trace that starts some time after a fixed time. Parent 0 means none.
func placed(trace model.TraceID, id, parent uint64, name string, at time.Duration, tags ...model.KeyValue) model.Span {
	s := jaegertest.Span(id, 0, name, tags...)
	s.TraceID, s.StartTime = trace, time.Unix(1000, 0).UTC().Add(at)
	if parent != 0 {
		s.References = []model.SpanRef{model.NewChildOfRef(trace, model.NewSpanID(parent))}
	}
	return s
}

// reconcile returns the span of a reconcile of a generation.
func reconcile(trace model.TraceID, id, parent uint64, at time.Duration, g generation) model.Span {
	return placed(trace, id, parent, "reconcile "+g.uid, at, g.tags(model.String("span.kind", "consumer"))...)
}

// writes returns the span of a write of a generation, with a link to its continuation.
func writes(trace model.TraceID, id, parent uint64, at time.Duration, g generation) model.Span {
	s := placed(trace, id, parent, "update "+g.uid, at, g.tags(model.String("span.kind", "client"))...)
	s.References = append(s.References, model.NewFollowsFromRef(g.traceID(), model.NewSpanID(0xdead)))
	return s
}

// sentBy returns a span of another service.
func sentBy(service string, s model.Span) model.Span {
	s.Process = &model.Process{ServiceName: service}
	return s
}

// shape prints names by depth, each with the last digits of its trace's id if that is not the
// parent's.
func shape(forest *spantree.Forest) string {
	var b strings.Builder
	var traces []string
	forest.Walk(func(n *spantree.Node, depth int) bool {
		traces = append(traces[:depth], n.Span.TraceID)
		b.WriteString(strings.Repeat("  ", depth) + n.Span.Name)
		if depth == 0 || traces[depth-1] != n.Span.TraceID {
			b.WriteString(" in " + n.Span.TraceID[:4])
		}
		if n.Defect != "" {
			b.WriteString(" (" + string(n.Defect) + ")")
		}
		b.WriteString("\n")
		return true
	})
	return b.String()
}

var (
	head, childA, childB = generation{"head", 2}, generation{"child-a", 3}, generation{"child-b", 1}
	// second is childA's next generation.
	second = generation{"child-a", 4}
	otherA = generation{"child-a", 5}
	ms     = time.Millisecond
)

// traceOf returns spans of the test's trace as a client returns them.
func traceOf(spans ...model.Span) Trace {
	for _, trace := range FromOTLP(apiv2.Traces(spans)) {
		return trace
	}
	return Trace{}
}
