package tracingtest

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// Start describes a span before it starts, for a [Sampler].
type Start struct {
	// Context is the context that was passed to Tracer.Start, with the parent in it.
	Context context.Context //nolint:containedctx // passed to the sampler
	// TraceID is the trace id of the new span.
	TraceID trace.TraceID
	// Name is the name of the span.
	Name string
	// Links are the links in the start options.
	Links []trace.Link
}

// Sampler decides whether a span is recorded and its context is marked as sampled. It must be safe
// for concurrent use.
type Sampler func(Start) bool

// AlwaysSample records every span. It is the default.
func AlwaysSample(Start) bool { return true }

// NeverSample records no span.
func NeverSample(Start) bool { return false }

// ParentBased returns a sampler that follows the parent, and uses root for spans without a parent.
// A nil root is [AlwaysSample].
func ParentBased(root Sampler) Sampler {
	if root == nil {
		root = AlwaysSample
	}
	return func(s Start) bool {
		if parent := trace.SpanContextFromContext(s.Context); parent.IsValid() {
			return parent.IsSampled()
		}
		return root(s)
	}
}

// Option configures a [TracerProvider].
type Option interface {
	apply(*TracerProvider)
}

type optionFunc func(*TracerProvider)

func (f optionFunc) apply(p *TracerProvider) { f(p) }

// WithSampler sets the sampler. The default, also for nil, is [AlwaysSample].
func WithSampler(s Sampler) Option {
	return optionFunc(func(p *TracerProvider) {
		if s != nil {
			p.sampler = s
		}
	})
}

// TracerProvider records the spans of all its tracers. It is safe for concurrent use.
type TracerProvider struct {
	embedded.TracerProvider

	sampler Sampler

	mu      sync.Mutex
	ended   []Span
	started int
}

var _ trace.TracerProvider = (*TracerProvider)(nil)

// NewTracerProvider returns a TracerProvider without spans.
func NewTracerProvider(opts ...Option) *TracerProvider {
	p := &TracerProvider{sampler: AlwaysSample}
	for _, o := range opts {
		o.apply(p)
	}
	return p
}

// Tracer implements trace.TracerProvider.
func (p *TracerProvider) Tracer(name string, _ ...trace.TracerOption) trace.Tracer {
	return &tracer{provider: p, scope: name}
}

// Spans returns the recorded spans that have ended, in the order of their ends.
func (p *TracerProvider) Spans() []Span {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Span(nil), p.ended...)
}

// Unended returns the number of recorded spans that have started and not ended.
func (p *TracerProvider) Unended() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started
}

// Reset removes the spans that have ended.
func (p *TracerProvider) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = nil
}

type tracer struct {
	embedded.Tracer

	provider *TracerProvider
	scope    string
}

var _ trace.Tracer = (*tracer)(nil)

// Start implements trace.Tracer. As in the SDK, a parent with a trace id and no span id makes the
// span a root in that trace.
func (t *tracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	cfg := trace.NewSpanStartConfig(opts...)
	var parent trace.SpanContext
	if cfg.NewRoot() {
		ctx = trace.ContextWithSpanContext(ctx, parent)
	} else {
		parent = trace.SpanContextFromContext(ctx)
	}
	sc := trace.SpanContextConfig{TraceID: parent.TraceID(), SpanID: randomSpanID(), TraceState: parent.TraceState()}
	if !sc.TraceID.IsValid() {
		sc.TraceID = randomTraceID()
	}
	sampled := t.provider.sampler(Start{Context: ctx, TraceID: sc.TraceID, Name: name, Links: cfg.Links()})
	sc.TraceFlags = parent.TraceFlags().WithSampled(sampled)
	start := cfg.Timestamp()
	if start.IsZero() {
		start = time.Now()
	}
	s := &span{provider: t.provider, recording: sampled, data: Span{
		Scope:      t.scope,
		Name:       name,
		Kind:       trace.ValidateSpanKind(cfg.SpanKind()),
		Context:    trace.NewSpanContext(sc),
		Parent:     parent,
		Links:      append([]trace.Link(nil), cfg.Links()...),
		Attributes: append([]attributeKV(nil), cfg.Attributes()...),
		Start:      start,
	}}
	if sampled {
		t.provider.count(1)
	}
	return trace.ContextWithSpan(ctx, s), s
}

func (p *TracerProvider) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started += n
}

func (p *TracerProvider) record(s Span) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started--
	p.ended = append(p.ended, s)
}

func randomTraceID() (id trace.TraceID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id
}

func randomSpanID() (id trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
