package tracing

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
)

// Relation says how the span of a reconcile, or "converge {Kind}", relates to the context of its
// object. The context is the write by which this process raised the object's generation, else the
// object's annotation, else the context of the controlling owner if the reconcile read it.
type Relation int

const (
	// RelationAuto makes the span a child of the context if the context belongs to the object's
	// generation and is fresh. Without a context, the span is a root in the trace of the generation
	// while the generation is fresh. If stale, the span joins the fresh trace of the object whose
	// event triggered the reconcile, or starts a new trace with a link to the trace before. It is
	// the default.
	RelationAuto Relation = iota
	// RelationChild makes the span a child of the context, whatever its age and generation. Without
	// a context the span is a root in the trace of the object's generation.
	RelationChild
	// RelationLink makes the span the root of a new trace, with a link to the context, as KEP-5915
	// proposes.
	RelationLink
)

// String returns the word that [ParseRelation] reads. Unknown values are treated as RelationAuto.
func (r Relation) String() string {
	switch r {
	case RelationChild:
		return "child"
	case RelationLink:
		return "link"
	default:
		return "auto"
	}
}

// ParseRelation reads the value of a flag: "auto", "child" or "link". It returns an error for any
// other word.
func ParseRelation(s string) (Relation, error) {
	for _, r := range []Relation{RelationAuto, RelationChild, RelationLink} {
		if s == r.String() {
			return r, nil
		}
	}
	return RelationAuto, fmt.Errorf("invalid relation %q: want auto, child or link", s)
}

// relation is the parent and the links of a span. It is decided before the span starts, so that
// samplers see the links.
type relation struct {
	// parent is a remote context. Without a trace id the span is the root of a new random trace.
	// With a trace id but no span id it is a root in that trace.
	parent trace.SpanContext
	// span represents the parent in a context; nil if there is none yet.
	span  trace.Span
	links []trace.Link
	// changeStart is the start of the change that the span is part of.
	changeStart time.Time
}

// start returns the context to start the span with, and appends to the span's options.
func (r relation) start(ctx context.Context, opts []trace.SpanStartOption) (context.Context, []trace.SpanStartOption) {
	if len(r.links) > 0 {
		opts = append(opts, trace.WithLinks(r.links...))
	}
	if !r.parent.TraceID().IsValid() {
		return ctx, append(opts, trace.WithNewRoot())
	}
	if r.span != nil {
		return trace.ContextWithSpan(ctx, r.span), opts
	}
	return trace.ContextWithRemoteSpanContext(ctx, r.parent), opts
}

// linksTo reports whether there is a link to a span.
func (r relation) linksTo(sc trace.SpanContext) bool {
	return slices.ContainsFunc(r.links, func(l trace.Link) bool { return sameSpan(l.SpanContext, sc) })
}

// isChild reports whether the span has a parent.
func (r relation) isChild() bool { return r.parent.IsValid() }

// carried is the context of an object. The zero value means no context.
type carried struct {
	sc      trace.SpanContext
	span    trace.Span // see relation
	start   time.Time  // of the change
	current bool       // the context belongs to the object's generation
}

func (c carried) valid() bool { return c.sc.IsValid() }

func (c carried) parent() relation { return relation{parent: c.sc, span: c.span, changeStart: c.start} }

// carriedBy returns the context of an object. A write by this process takes precedence, because any
// user with write permission can set the annotation.
func (c *config) carriedBy(name objectName, f *objectFacts) carried {
	w, ok := c.causes.generation(f.uid, f.generation)
	if f.generation == 0 { // the kind has no generations
		w, ok = c.causes.version(f.uid, f.version)
	}
	if ok {
		return carried{sc: w.span, start: w.changeStart(), current: true}
	}
	if f.stored != nil && f.stored.belongsTo(f.generation) {
		return carried{f.stored.sc, f.stored.span, f.stored.origin.start, true}
	}
	if w, ok := c.causes.sending(name, f.generation); ok {
		return carried{sc: w.span, start: w.changeStart(), current: true}
	}
	if f.stored != nil {
		return carried{f.stored.sc, f.stored.span, f.stored.origin.start, false}
	}
	return carried{}
}

// relateAnyAge decides the relation of a span that belongs to its change whatever the change's age.
// decided is false if the policy depends on the age for other spans.
func (c *config) relateAnyAge(f *objectFacts, own carried, start time.Time) (r relation, decided bool) {
	switch {
	case c.relation == RelationLink && own.valid():
		return relation{links: []trace.Link{{SpanContext: own.sc}}, changeStart: start}, true
	case c.relation == RelationLink:
		return relation{changeStart: start}, true
	case own.valid() && (own.current || c.relation == RelationChild):
		return own.parent(), c.relation == RelationChild
	default:
		return c.generationRoot(f, own.sc, start), c.relation == RelationChild
	}
}

// fresh reports whether a reconcile can still belong to an object's change that started at start.
func (s *session) fresh(f *objectFacts, ready Readiness, start time.Time) bool {
	c, age := s.cfg, s.start.Sub(start)
	if age < min(c.maxAge, c.convergedAge) {
		return true
	}
	if f.status == nil {
		return age < c.maxAge
	}
	since, converged := ready.reached(*f.status, f.generation)
	if !converged {
		return age < c.maxAge
	}
	if since.Before(start) {
		// The object became ready some time after start, and stayed ready since: the change has
		// converged.
		since = start
	}
	return s.start.Sub(since) < c.convergedAge
}

// generationRoot makes a span a root in the trace of the object's generation, with a link to the
// last context if that is in another trace. Without a UID the span is the root of a random trace.
func (c *config) generationRoot(f *objectFacts, last trace.SpanContext, start time.Time) relation {
	r := relation{changeStart: start}
	if f.uid != "" {
		r.parent = trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: generationTrace(f.uid, f.generation).TraceID(),
			Remote:  true,
		})
	}
	if known, ok := c.causes.lastReconcile(f.uid); ok && !last.IsValid() {
		last = known.span
	}
	if last.IsValid() && last.TraceID() != r.parent.TraceID() {
		r.links = []trace.Link{{SpanContext: last}}
	}
	return r
}

// newRoot starts a new trace for an object whose change is over, with a link to the trace before.
func (c *config) newRoot(f *objectFacts, own carried, now time.Time) relation {
	before := own.sc
	if last, ok := c.causes.lastReconcile(f.uid); ok && last.span.TraceID() != before.TraceID() {
		before = last.span
	} else if !before.IsValid() && f.uid != "" {
		before = generationTrace(f.uid, f.generation)
	}
	r := relation{changeStart: now}
	if before.IsValid() {
		r.links = []trace.Link{{SpanContext: before}}
	}
	return r
}

// generationTrace returns a context in the trace of an object's generation, which is the same in
// all processes. The trace id is the first 16 bytes of SHA-256 over "{uid}/{generation}". The span
// id is the next eight bytes. It belongs to no span, but a link requires one.
func generationTrace(uid types.UID, generation int64) trace.SpanContext {
	b := make([]byte, 0, 64) // enough for a UUID, and allocated on the stack
	b = append(append(b, uid...), '/')
	sum := sha256.Sum256(strconv.AppendInt(b, generation, 10))
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(sum[:16]), SpanID: trace.SpanID(sum[16:24]), Remote: true,
	})
}

func sameSpan(a, b trace.SpanContext) bool {
	return a.TraceID() == b.TraceID() && a.SpanID() == b.SpanID()
}
