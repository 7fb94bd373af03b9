package tracingtest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

func TestSpantree(t *testing.T) {
	tp := NewTracerProvider()
	tracer := tp.Tracer("test")
	start := time.Unix(100, 0)
	link := trace.Link{
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}),
		Attributes:  []attribute.KeyValue{attribute.Bool("l", true)},
	}
	ctx, root := tracer.Start(t.Context(), "root", trace.WithTimestamp(start), trace.WithSpanKind(trace.SpanKindServer), trace.WithLinks(link))
	_, child := tracer.Start(ctx, "child", trace.WithTimestamp(start), trace.WithAttributes(attribute.String("s", "old"), attribute.Int("i", 1)))
	child.SetAttributes(attribute.String("s", "new"), attribute.Float64("f", 0.5))
	child.AddEvent("event", trace.WithTimestamp(start), trace.WithAttributes(attribute.String("e", "v")))
	child.SetStatus(codes.Error, "broken")
	child.SetStatus(codes.Unset, "changes nothing")
	child.End(trace.WithTimestamp(start.Add(time.Second)))
	child.SetName("too late")
	child.End()
	if len(tp.Spans()) != 1 || tp.Unended() != 1 {
		t.Fatalf("%d spans have ended and %d not, want 1 and 1", len(tp.Spans()), tp.Unended())
	}
	root.SetStatus(codes.Ok, "no message")
	root.SetStatus(codes.Error, "too late")
	root.End(trace.WithTimestamp(start.Add(2 * time.Second)))

	tid, rid, cid := root.SpanContext().TraceID().String(), root.SpanContext().SpanID().String(), child.SpanContext().SpanID().String()
	want := []spantree.Span{
		{
			TraceID: tid, SpanID: cid, ParentSpanID: rid, Name: "child", Kind: spantree.KindInternal, Service: "svc",
			Start: start, End: start.Add(time.Second), Status: spantree.Status{Code: spantree.StatusError, Message: "broken"},
			Attributes: map[string]any{"s": "new", "i": int64(1), "f": 0.5},
			Events:     []spantree.Event{{Name: "event", Time: start, Attributes: map[string]any{"e": "v"}}},
		},
		{
			TraceID: tid, SpanID: rid, Name: "root", Kind: spantree.KindServer, Service: "svc",
			Start: start, End: start.Add(2 * time.Second), Status: spantree.Status{Code: spantree.StatusOK},
			Links: []spantree.Link{{TraceID: link.SpanContext.TraceID().String(), SpanID: link.SpanContext.SpanID().String(), Attributes: map[string]any{"l": true}}},
		},
	}
	if diff := cmp.Diff(want, tp.Spantree("svc")); diff != "" {
		t.Errorf("spans differ (-want +got):\n%s", diff)
	}
	tp.Reset()
	if len(tp.Spans()) != 0 {
		t.Error("spans are left after Reset")
	}
}

func TestParents(t *testing.T) {
	tracer := NewTracerProvider().Tracer("test")
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true})
	rootOf := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{3}, Remote: true})
	for name, tc := range map[string]struct {
		parent trace.SpanContext
		opts   []trace.SpanStartOption
		same   bool
		root   bool
	}{
		"remote parent":     {remote, nil, true, false},
		"root in a trace":   {rootOf, nil, true, true},
		"new root":          {remote, []trace.SpanStartOption{trace.WithNewRoot()}, false, true},
		"nothing to follow": {trace.SpanContext{}, nil, false, true},
	} {
		_, s := tracer.Start(trace.ContextWithRemoteSpanContext(t.Context(), tc.parent), "span", tc.opts...)
		sc := s.SpanContext()
		if !sc.IsValid() || !sc.IsSampled() || (sc.TraceID() == tc.parent.TraceID()) != tc.same || s.(*span).data.Parent.SpanID().IsValid() == tc.root {
			t.Errorf("%s: %v", name, sc)
		}
	}
}

func TestSamplers(t *testing.T) {
	for name, tc := range map[string]struct {
		sampler Sampler
		want    int
	}{
		"always": {AlwaysSample, 1}, "never": {NeverSample, 0}, "parent's": {ParentBased(NeverSample), 0}, "parent's root": {ParentBased(nil), 1}, "nil": {nil, 1},
	} {
		tp := NewTracerProvider(WithSampler(tc.sampler))
		_, s := tp.Tracer("test").Start(t.Context(), "span")
		s.RecordError(errors.New("broken"))
		s.RecordError(nil)
		if s.IsRecording() != (tc.want == 1) || s.SpanContext().IsSampled() != (tc.want == 1) || !s.SpanContext().IsValid() {
			t.Errorf("%s: recording %t, %v", name, s.IsRecording(), s.SpanContext())
		}
		s.End()
		if got := tp.Spans(); len(got) != tc.want || tc.want == 1 && len(got[0].Events) != 1 {
			t.Errorf("%s: recorded %v", name, got)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	tp := NewTracerProvider()
	_, shared := tp.Tracer("test").Start(t.Context(), "shared")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 50 {
				shared.SetAttributes(attribute.Int("n", 1))
				_, s := tp.Tracer("test").Start(t.Context(), "span")
				s.End()
				tp.Spans()
			}
		})
	}
	wg.Wait()
	shared.End()
	if got := len(tp.Spans()); got != 1001 || tp.Unended() != 0 {
		t.Errorf("%d spans, %d unended", got, tp.Unended())
	}
}
