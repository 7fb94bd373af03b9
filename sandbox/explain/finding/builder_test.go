package finding

import (
	"fmt"
	"maps"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

var begin = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// builder adds spans, each a millisecond long, a millisecond after the one before.
type builder struct {
	spans []spantree.Span
	at    time.Time
}

type attributes map[string]any

// add adds a span "{verb} {kind}" of an object with the name web. Parent -1 makes it a root.
func (b *builder) add(parent int, action, kind, spanKind string, more attributes, events ...string) int {
	if b.at.IsZero() {
		b.at = begin
	}
	s := spantree.Span{
		TraceID: "1", SpanID: fmt.Sprintf("%x", len(b.spans)+1), Name: action + " " + kind, Kind: spanKind, Service: "cache-operator", Start: b.at, End: b.at.Add(time.Millisecond),
		Attributes: attributes{"operator.object.kind": kind, "k8s.namespace.name": "default", "operator.object.name": "web"},
	}
	if parent >= 0 {
		s.ParentSpanID = b.spans[parent].SpanID
	}
	maps.Copy(s.Attributes, more)
	for _, e := range events {
		s.Events = append(s.Events, spantree.Event{Name: e, Time: b.at})
	}
	b.spans = append(b.spans, s)
	b.at = b.at.Add(time.Millisecond)
	return len(b.spans) - 1
}

func (b *builder) wait(d time.Duration) { b.at = b.at.Add(d) }

func (b *builder) reconcile(parent int, more attributes, events ...string) int {
	return b.add(parent, "reconcile", "Cache", spantree.KindConsumer, more, events...)
}

func (b *builder) write(parent int, action, kind string, more attributes, events ...string) int {
	return b.add(parent, action, kind, spantree.KindClient, more, events...)
}

func (b *builder) fail(span int, message string) {
	b.spans[span].Status = spantree.Status{Code: spantree.StatusError, Message: message}
}

// causedBy returns the attributes of a reconcile that a write of the Cache itself triggered.
func (b *builder) causedBy(write int) attributes {
	cause := b.spans[write]
	return attributes{
		"operator.reconcile.cause.kind": cause.Attributes["operator.object.kind"], "operator.reconcile.cause.namespace": "default", "operator.reconcile.cause.name": "web",
		"operator.reconcile.cause.span_id": cause.SpanID, "operator.reconcile.cause.trace_id": cause.TraceID,
	}
}

var unchanged = attributes{"operator.write.unchanged": true}

func staleRead(b *builder, reconcile int, kind string) {
	s := &b.spans[reconcile]
	s.Events = append(s.Events, spantree.Event{Name: "stale_read", Time: b.at, Attributes: attributes{
		"operator.object.kind": kind, "k8s.namespace.name": "default", "operator.object.name": "web",
	}})
}

// chain adds reconciles that each are triggered by the status write of the one before.
func chain(b *builder, n int, events ...string) {
	r := b.reconcile(-1, nil)
	for range n {
		w := b.write(r, "update_status", "Cache", nil, events...)
		r = b.reconcile(-1, b.causedBy(w))
	}
}

// repeat adds reconciles, each a pause after the one before.
func repeat(b *builder, n int, pause time.Duration, more attributes, each func(b *builder, i, r int)) {
	for i := range n {
		r := b.reconcile(-1, more)
		if each != nil {
			each(b, i, r)
		}
		b.wait(pause)
	}
}

func named(i int) attributes { return attributes{"operator.object.name": fmt.Sprintf("web-%d", i)} }

var requeue = attributes{"operator.reconcile.requeue_reason": "requeue", "operator.reconcile.trigger": "requeue"}
