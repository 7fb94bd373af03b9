package tracing

import (
	"context"
	"crypto/sha256"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// relation is where a span belongs. It is decided before the span starts, so that samplers see the links.
type relation struct {
	// parent is a remote context. Without a trace id the span is the root of a new random trace; with a
	// trace id but no span id it is a root in that trace.
	parent trace.SpanContext
	links  []trace.Link
}

// start gives the context and the options with which to start the span.
func (r relation) start(ctx context.Context) (context.Context, []trace.SpanStartOption) {
	opts := make([]trace.SpanStartOption, 0, 6) // what is common to all callers, and their own
	if len(r.links) > 0 {
		opts = append(opts, trace.WithLinks(r.links...))
	}
	if !r.parent.TraceID().IsValid() {
		return ctx, append(opts, trace.WithNewRoot())
	}
	return trace.ContextWithRemoteSpanContext(ctx, r.parent), opts
}

// isChild reports whether the span has a parent, and is no root of whatever kind.
func (r relation) isChild() bool { return r.parent.IsValid() }

// relate decides how a span about obj, as it is, relates to the context that obj carries.
func (c *config) relate(ctx context.Context, obj client.Object, now time.Time) relation {
	stored, ok := c.extract(ctx, obj, levelReconcile)
	if !ok || !stored.belongsTo(obj.GetGeneration()) {
		return generationRoot(obj, stored.sc)
	}
	if c.fresh(obj, stored, now) {
		return relation{parent: stored.sc}
	}
	return relation{links: []trace.Link{{SpanContext: stored.sc}}}
}

// relateAnyAge is relate for spans that belong to their change however long it took.
func (c *config) relateAnyAge(ctx context.Context, obj client.Object) relation {
	stored, ok := c.extract(ctx, obj, levelReconcile)
	if !ok || !stored.belongsTo(obj.GetGeneration()) {
		return generationRoot(obj, stored.sc)
	}
	return relation{parent: stored.sc}
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
