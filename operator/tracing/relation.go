package tracing

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Relation says how the span of a reconcile, or "converge {Kind}", relates to the context that its object
// carries: that of the object itself or, where it has none and the reconcile read it, of its owner.
type Relation int

const (
	// RelationAuto makes the span a child of the context if that was written for the object's generation
	// and is fresh. A stale one becomes a link of a new trace, one of another generation a link of a root in
	// the trace of the generation. It is the default.
	RelationAuto Relation = iota
	// RelationChild makes the span a child of the context, whatever its age and generation. Without a
	// context the span is a root in the trace of the object's generation.
	RelationChild
	// RelationLink makes the span the root of a new trace, with a link to the context, as KEP-5915 proposes.
	RelationLink
)

// String gives the word that [ParseRelation] reads; for a value that is none of the three, that of the
// default, as which it counts.
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

// ParseRelation reads "auto", "child" or "link", as a command line flag would give it. Any other word is
// an error.
func ParseRelation(s string) (Relation, error) {
	for _, r := range []Relation{RelationAuto, RelationChild, RelationLink} {
		if s == r.String() {
			return r, nil
		}
	}
	return RelationAuto, fmt.Errorf("parsing relation %q: must be auto, child or link", s)
}

// relation is where a span belongs. It is decided before the span starts, so that samplers see the links.
type relation struct {
	// parent is a remote context. Without a trace id the span is the root of a new random trace; with a
	// trace id but no span id it is a root in that trace.
	parent trace.SpanContext
	// span stands for the parent in a context; nil where there is none yet.
	span  trace.Span
	links []trace.Link
}

// start gives the context with which to start the span, and appends to its options.
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

// isChild reports whether the span has a parent, and is no root of whatever kind.
func (r relation) isChild() bool { return r.parent.IsValid() }

// bearer is an object and the context that it carries. The zero value is none.
type bearer struct {
	obj    client.Object
	stored storedContext
}

// bears finds out what an object carries; false for no valid context.
func (c *config) bears(ctx context.Context, obj client.Object) (bearer, bool) {
	stored, ok := c.extract(ctx, obj, levelReconcile)
	if !ok {
		return bearer{}, false
	}
	return bearer{obj, stored}, true
}

// relate decides how a span about obj relates to the context of b, which is obj itself or, if owned is
// true, its owner.
func (c *config) relate(obj client.Object, b bearer, owned bool, now time.Time) relation {
	r, decided := c.relateAnyAge(obj, b)
	switch {
	case decided || c.fresh(b.obj, b.stored, now):
		return r
	case owned:
		return generationRoot(obj, b.stored.sc)
	default:
		return relation{links: []trace.Link{{SpanContext: b.stored.sc}}}
	}
}

// relateAnyAge is relate for spans that belong to their change however long it took. decided is false
// where the age of the context makes a difference to other spans.
func (c *config) relateAnyAge(obj client.Object, b bearer) (r relation, decided bool) {
	sc := b.stored.sc
	switch {
	case c.relation == RelationLink && sc.IsValid():
		return relation{links: []trace.Link{{SpanContext: sc}}}, true
	case c.relation == RelationLink:
		return relation{}, true
	case !sc.IsValid():
		return generationRoot(obj, sc), true
	case c.relation == RelationChild:
		return relation{parent: sc, span: b.stored.span}, true
	case !b.stored.belongsTo(b.obj.GetGeneration()):
		return generationRoot(obj, sc), true
	default:
		return relation{parent: sc, span: b.stored.span}, false
	}
}

// fresh reports whether the change that the context began can still be what a reconcile is about.
func (c *config) fresh(obj client.Object, stored storedContext, now time.Time) bool {
	if now.Sub(stored.origin.start) < min(c.maxAge, c.convergedAge) {
		return true // whatever the status says, which takes longer to read
	}
	since, converged := readStatus(obj).converged(obj.GetGeneration())
	if !converged {
		return now.Sub(stored.origin.start) < c.maxAge
	}
	if since.Before(stored.origin.start) {
		// It was Ready before and stayed so: this change converged some time after it began.
		since = stored.origin.start
	}
	return now.Sub(since) < c.convergedAge
}

// generationRoot makes a span a root in the trace of the object's generation, linked to the last
// context if that is of another trace. An object without a UID has no such trace.
func generationRoot(obj client.Object, last trace.SpanContext) relation {
	var r relation
	if uid := string(obj.GetUID()); uid != "" {
		r.parent = trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: generationTraceID(uid, obj.GetGeneration()),
			Remote:  true,
		})
	}
	if last.IsValid() && last.TraceID() != r.parent.TraceID() {
		r.links = []trace.Link{{SpanContext: last}}
	}
	return r
}

// generationTraceID is the trace id on which all processes agree for a generation of an object: the
// first 16 bytes of SHA-256 over "{uid}/{generation}".
func generationTraceID(uid string, generation int64) trace.TraceID {
	sum := sha256.Sum256([]byte(uid + "/" + strconv.FormatInt(generation, 10)))
	return trace.TraceID(sum[:16])
}
