package observe

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// finish keeps spans until they are exported.
func (o *Observer) finish(at time.Time, spans ...*span) {
	for _, s := range spans {
		id := s.context.TraceID()
		if o.counts[id] >= maxSpans {
			continue
		}
		if o.counts[id]++; len(o.counts) > maxTraces {
			o.counts = map[trace.TraceID]int{id: o.counts[id]}
		}
		o.ready = append(o.ready, finished{s, at})
		if uid, ok := s.attributes["operator.object.uid"].(string); ok {
			o.latest[types.UID(uid)] = s
		}
	}
}

// export exports the spans that were finished until a time, and reports whether that succeeded.
func (o *Observer) export(ctx context.Context, now, until time.Time) bool {
	var spans []*span
	o.ready = slices.DeleteFunc(o.ready, func(f finished) bool {
		if f.at.After(until) {
			return false
		}
		spans = append(spans, f.span)
		return true
	})
	if len(spans) == 0 {
		return true
	}
	for _, s := range spans {
		if uid, ok := s.attributes["operator.object.uid"].(string); ok && o.latest[types.UID(uid)] == s {
			delete(o.latest, types.UID(uid))
		}
	}
	if o.options.Export == nil {
		return true
	}
	began := time.Now()
	defer func() { o.next = o.next.Add(min(exportPacing*time.Since(began), exportPause)) }()
	o.next = now.Add(exportInterval)
	ctx, cancel := context.WithTimeout(ctx, exportLimit)
	defer cancel()
	spans, held := o.join(ctx, now, spans)
	o.hold(held)
	if len(spans) == 0 {
		return true
	}
	err := o.options.Export(ctx, otlp(spans))
	if err == nil {
		return true
	}
	o.next = now.Add(exportPause)
	for _, s := range spans[:min(len(spans), maxUnsent)] {
		o.ready = append(o.ready, finished{s, until})
	}
	o.Fail(err)
	return false
}

// hold keeps spans for the next export.
func (o *Observer) hold(spans []*span) {
	o.held = time.Time{}
	if len(spans) > 0 {
		o.held = spans[0].end
	}
	held := make([]finished, len(spans), len(spans)+len(o.ready))
	for i, s := range spans {
		held[i] = finished{s, s.end}
	}
	o.ready = append(held, o.ready...)
}

// join removes the spans of writes that operators recorded, and makes the operators' spans the
// parents of the reactions to them. It returns the spans to send, and the spans that must wait for the
// spans of an operator that is known to trace its writes. It asks only about traces in which a
// writer that is not of Kubernetes itself wrote something.
func (o *Observer) join(ctx context.Context, now time.Time, spans []*span) (send, held []*span) {
	if o.options.Recorded == nil {
		return spans, nil
	}
	recorded := map[trace.TraceID]map[string]trace.SpanContext{}
	for _, s := range spans {
		id := s.context.TraceID()
		if _, asked := recorded[id]; asked || writes.IsKubernetes(s.service) {
			continue
		}
		found, err := o.options.Recorded(ctx, id)
		if err != nil {
			o.Fail(err)
		}
		recorded[id] = found
	}
	if len(o.joined) > maxUnsent {
		clear(o.joined)
	}
	waits := map[trace.TraceID]bool{}
	for _, s := range spans {
		id := s.context.TraceID()
		manager, _ := s.attributes[AttributeManager].(string)
		revision, _ := s.attributes[AttributeAfter].(string)
		own, found := recorded[id][revision]
		if !found && strings.HasPrefix(s.name, writes.VerbDelete+" ") {
			uid, _ := s.attributes["operator.object.uid"].(string)
			own, found = recorded[id][DeleteOf(uid)]
		}
		switch {
		case found:
			o.joined[s.context.SpanID()] = own
			o.traced[manager] = manager != "" // A delete has none, and neither has a binding.
		case waits[id] || o.traced[manager] && now.Sub(s.end) < recordWait:
			waits[id] = true // The later ones can be reactions to it.
			held = append(held, s)
		default:
			send = append(send, s)
		}
	}
	for _, s := range send {
		if own, found := o.joined[s.parent.SpanID()]; found {
			s.parent = own
		}
	}
	return send, held
}

// DeleteOf returns the key of a recorded delete of an object: its resourceVersion is not in the
// answer to the operator.
func DeleteOf(uid string) string { return writes.VerbDelete + " " + uid }

// report reports the writes whose spans were exported.
func (o *Observer) report(until time.Time) {
	n := 0
	for n < len(o.decided) && !o.decided[n].at.After(until) && (o.held.IsZero() || o.decided[n].at.Before(o.held)) {
		n++
	}
	if n > 0 {
		o.options.Exported(o.decided[n-1].revision)
		o.decided = slices.Delete(o.decided, 0, n)
	}
}
