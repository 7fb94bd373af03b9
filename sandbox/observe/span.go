package observe

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// Scope is the name of the instrumentation scope of all spans.
const Scope = "github.com/operator-tracing/sandbox/sandbox/observe"

// The attributes of reactions, in addition to the attributes of objects in package operator/tracing.
const (
	// AttributeObserved is true for all spans of an observer.
	AttributeObserved = "operator.observed"
	// AttributeBefore and AttributeAfter are the resourceVersions before and after the write.
	AttributeBefore = "operator.write.resource_version.before"
	AttributeAfter  = "operator.write.resource_version"
	// AttributeManager is the field manager, AttributeFields lists the changed fields.
	AttributeManager = "operator.write.manager"
	AttributeFields  = "operator.write.fields"
	// AttributeCertainty is the [writes.Certainty] of the cause; absent without a cause.
	AttributeCertainty = "operator.cause.certainty"
	// AttributeLost is true if versions before the write may be missing.
	AttributeLost = "operator.observer.lost"
	// AttributeUnfinished is true if the end of a span is not known.
	AttributeUnfinished = "operator.observer.unfinished"
)

// span is a span before its conversion to OTLP.
type span struct {
	context    trace.SpanContext
	parent     trace.SpanContext
	service    string
	name       string
	start, end time.Time
	attributes map[string]any
	events     []event
	failed     bool
}

type event struct {
	at         time.Time
	name       string
	attributes map[string]any
}

// spanOf returns the span of a write.
func spanOf(w *writes.Write) *span {
	start := w.Cause.At
	if start.IsZero() {
		start = w.At
	}
	s := &span{
		context: w.Span, parent: w.Cause.Span, service: w.Writer, name: w.Verb + " " + w.Object.Kind, start: start, end: w.At,
		attributes: objectAttributes(w.Object),
	}
	if s.service == "" {
		s.service = "unknown"
	}
	a := s.attributes
	if w.Generation > 0 {
		a["operator.object.generation"] = w.Generation
	}
	if w.Before > 0 {
		a[AttributeBefore] = strconv.FormatUint(w.Before, 10)
	}
	if !w.Lost || w.Verb != writes.VerbRemove { // Else only a later resourceVersion is known.
		a[AttributeAfter] = strconv.FormatUint(w.After, 10)
	}
	if w.Manager != "" {
		a[AttributeManager] = w.Manager
	}
	if len(w.Fields) > 0 {
		a[AttributeFields] = w.Fields
	}
	if w.Lost {
		a[AttributeLost] = true
	}
	addCause(a, w.Cause)
	for _, t := range w.Transitions {
		s.events = append(s.events, transitionEvent(t, w.At))
	}
	return s
}

func addCause(a map[string]any, c writes.Cause) {
	if c.Certainty == "" {
		return
	}
	a[AttributeCertainty] = string(c.Certainty)
	a["operator.reconcile.cause.kind"] = c.Object.Kind
	a["operator.reconcile.cause.name"] = c.Object.Name
	if c.Object.Namespace != "" {
		a["operator.reconcile.cause.namespace"] = c.Object.Namespace
	}
	a["operator.reconcile.cause.uid"] = string(c.Object.UID)
	a["operator.reconcile.cause.resource_version"] = strconv.FormatUint(c.Revision, 10)
}

// transitionEvent has the name of events of conditions in package operator/tracing.
func transitionEvent(t writes.Transition, at time.Time) event {
	e := event{at: at, name: t.Type + ": " + orNone(t.From) + "→" + t.To}
	if t.Reason != "" {
		e.attributes = map[string]any{"operator.condition.reason": t.Reason}
	}
	return e
}

func orNone(status string) string {
	if status == "" {
		return "none"
	}
	return status
}

func objectAttributes(o writes.Object) map[string]any {
	a := map[string]any{AttributeObserved: true, "operator.object.kind": o.Kind, "operator.object.name": o.Name, "operator.object.uid": string(o.UID)}
	if o.Group != "" {
		a["operator.object.group"] = o.Group
	}
	if o.Namespace != "" {
		a["k8s.namespace.name"] = o.Namespace
	}
	return a
}

// otlp converts spans, grouped by service.
func otlp(spans []*span) ptrace.Traces {
	traces := ptrace.NewTraces()
	services := map[string]ptrace.SpanSlice{}
	for _, s := range spans {
		into, found := services[s.service]
		if !found {
			resource := traces.ResourceSpans().AppendEmpty()
			resource.Resource().Attributes().PutStr("service.name", s.service)
			scope := resource.ScopeSpans().AppendEmpty()
			scope.Scope().SetName(Scope)
			into = scope.Spans()
			services[s.service] = into
		}
		s.write(into.AppendEmpty())
	}
	return traces
}

func (s *span) write(to ptrace.Span) {
	to.SetTraceID(pcommon.TraceID(s.context.TraceID()))
	to.SetSpanID(pcommon.SpanID(s.context.SpanID()))
	if s.parent.IsValid() && s.parent.TraceID() == s.context.TraceID() {
		to.SetParentSpanID(pcommon.SpanID(s.parent.SpanID()))
	} else if s.parent.IsValid() {
		link := to.Links().AppendEmpty()
		link.SetTraceID(pcommon.TraceID(s.parent.TraceID()))
		link.SetSpanID(pcommon.SpanID(s.parent.SpanID()))
	}
	to.SetName(s.name)
	to.SetKind(ptrace.SpanKindInternal)
	start := pcommon.NewTimestampFromTime(s.start)
	to.SetStartTimestamp(start)
	to.SetEndTimestamp(max(start, pcommon.NewTimestampFromTime(s.end))) // The clock can be set back in between.
	put(to.Attributes(), s.attributes)
	if s.failed {
		to.Status().SetCode(ptrace.StatusCodeError)
	}
	for _, e := range s.events {
		out := to.Events().AppendEmpty()
		out.SetName(e.name)
		out.SetTimestamp(pcommon.NewTimestampFromTime(e.at))
		put(out.Attributes(), e.attributes)
	}
}

func put(to pcommon.Map, attributes map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		switch value := attributes[key].(type) {
		case string:
			to.PutStr(key, value)
		case int64:
			to.PutInt(key, value)
		case bool:
			to.PutBool(key, value)
		case []string:
			list := to.PutEmptySlice(key)
			for _, item := range value {
				list.AppendEmpty().SetStr(item)
			}
		}
	}
}
