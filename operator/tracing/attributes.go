package tracing

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Keys of the attributes of this package's spans. Attributes with unknown values are absent, never
// empty or zero.
const (
	// NamespaceKey is the object's namespace, as in OpenTelemetry's registry.
	NamespaceKey = attribute.Key("k8s.namespace.name")

	// ObjectGroupKey is the API group of the object; absent for the core group.
	ObjectGroupKey = attribute.Key("operator.object.group")
	// ObjectVersionKey is the API version of the object.
	ObjectVersionKey = attribute.Key("operator.object.version")
	// ObjectKindKey is the kind of the object.
	ObjectKindKey = attribute.Key("operator.object.kind")
	// ObjectNameKey is the name of the object.
	ObjectNameKey = attribute.Key("operator.object.name")
	// ObjectUIDKey is the UID of the object.
	ObjectUIDKey = attribute.Key("operator.object.uid")
	// ObjectGenerationKey is the generation of the object.
	ObjectGenerationKey = attribute.Key("operator.object.generation")

	// ReconcileIDKey is controller-runtime's id of the reconcile, as in its log lines.
	ReconcileIDKey = attribute.Key("operator.reconcile.id")
	// ReconcileAttemptKey is the number of the attempt, from 1: how often the request was taken
	// from the queue since it last succeeded or asked for a delay of its own.
	ReconcileAttemptKey = attribute.Key("operator.reconcile.attempt")
	// ReconcileQueueWaitKey is the time, in seconds, from when the request was ready in the queue
	// until a worker took it. It does not include a requested delay.
	ReconcileQueueWaitKey = attribute.Key("operator.reconcile.queue_wait")
	// ReconcileDelayKey is the time, in seconds, that a delay held the request back. A back-off, a
	// result or a handler can ask for a delay, and an event can end it early. It is absent without
	// a delay.
	ReconcileDelayKey = attribute.Key("operator.reconcile.delay")
	// ReconcileTriggerKey is the first reason why the request was queued: the event and the kind of
	// its object, for example "update ChildA", or "requeue" if an earlier reconcile asked for it
	// and no event arrived.
	ReconcileTriggerKey = attribute.Key("operator.reconcile.trigger")
	// ReconcileCauseKindKey is the kind of the object whose event is the trigger.
	ReconcileCauseKindKey = attribute.Key("operator.reconcile.cause.kind")
	// ReconcileCauseNamespaceKey is the namespace of that object.
	ReconcileCauseNamespaceKey = attribute.Key("operator.reconcile.cause.namespace")
	// ReconcileCauseNameKey is the name of that object.
	ReconcileCauseNameKey = attribute.Key("operator.reconcile.cause.name")
	// ReconcileCauseUIDKey is the UID of that object.
	ReconcileCauseUIDKey = attribute.Key("operator.reconcile.cause.uid")
	// ReconcileCauseVersionKey is the resourceVersion of that object in the event.
	ReconcileCauseVersionKey = attribute.Key("operator.reconcile.cause.resource_version")
	// ReconcileCauseSpanKey is the span id of the write that made this version, if this process
	// made it.
	ReconcileCauseSpanKey = attribute.Key("operator.reconcile.cause.span_id")
	// ReconcileCauseTraceKey is the trace id of that write. The span has a link to the write if the
	// traces differ.
	ReconcileCauseTraceKey = attribute.Key("operator.reconcile.cause.trace_id")
	// ReconcileReadWaitKey is the time, in seconds, of reads through a client with
	// read-your-own-writes consistency (controller-runtime's EnableReadYourWritesConsistency).
	// Reads of less than a millisecond do not count.
	ReconcileReadWaitKey = attribute.Key("operator.reconcile.read_wait")
	// ReconcileLimiterWaitKey is the time, in seconds, that requests of the reconcile waited for
	// the client's rate limiter.
	ReconcileLimiterWaitKey = attribute.Key("operator.reconcile.rate_limiter_wait")
	// ReconcileEventsKey is the number of events that the queue coalesced into this reconcile, if
	// more than one.
	ReconcileEventsKey = attribute.Key("operator.reconcile.events")
	// ReconcileRequeueReasonKey is why an earlier reconcile asked for this one: error, conflict,
	// requeue or requeue_after.
	ReconcileRequeueReasonKey = attribute.Key("operator.reconcile.requeue_reason")
	// ReconcileRequeueAfterKey is the delay, in seconds, that a successful reconcile asked for.
	ReconcileRequeueAfterKey = attribute.Key("operator.reconcile.requeue_after")
	// ReconcileResultKey is one of success, requeue, requeue_after, error, terminal_error, panic.
	ReconcileResultKey = attribute.Key("operator.reconcile.result")
	// ReconcileWriteIntentKey is the effect of the writes on their objects, sorted and joined by
	// commas: delete, desired_state (a create, or a higher generation), metadata (a change without
	// a higher generation), other (another subresource, a kind without generations, or a failed
	// write), status; or none.
	ReconcileWriteIntentKey = attribute.Key("operator.reconcile.write_intent")
	// ReconcileSpansDroppedKey is the number of reads and unchanged writes without a span, because
	// the reconcile had too many before its own span started.
	ReconcileSpansDroppedKey = attribute.Key("operator.reconcile.spans_dropped")

	// WriteUnchangedKey is true for a write that changed nothing: the API server returned a
	// resourceVersion that was known before.
	WriteUnchangedKey = attribute.Key("operator.write.unchanged")
	// WriteVersionKey is the object's resourceVersion after a write that changed it.
	WriteVersionKey = attribute.Key("operator.write.resource_version")
	// WriteLimiterWaitKey is the time, in seconds, that a write waited for the client's rate
	// limiter.
	WriteLimiterWaitKey = attribute.Key("operator.write.rate_limiter_wait")

	// ReadVersionKey is the resourceVersion that a stale read returned, on the event of the read.
	ReadVersionKey = attribute.Key("operator.read.resource_version")
	// WrittenVersionKey is the resourceVersion that this process wrote before a stale read, on the
	// event of the read.
	WrittenVersionKey = attribute.Key("operator.read.written_resource_version")

	// FinalizersAddedKey lists the finalizers that a write added, if the reconcile read the object
	// before.
	FinalizersAddedKey = attribute.Key("operator.object.finalizers.added")
	// FinalizersRemovedKey lists the finalizers that a write removed, if the reconcile read the
	// object before.
	FinalizersRemovedKey = attribute.Key("operator.object.finalizers.removed")

	// ErrorTypeKey is the reason of an API error, or the type of another error, on spans with
	// status Error.
	ErrorTypeKey = attribute.Key("error.type")

	// AdmissionMessageKey is the webhook's message for a denied request, on the event of the
	// denial.
	AdmissionMessageKey = attribute.Key("operator.admission.message")

	// ConditionReasonKey is the new reason, on the event of a condition's change.
	ConditionReasonKey = attribute.Key("operator.condition.reason")
)

// The kinds of the spans as options, which cost an allocation each when they are created.
var (
	kindServer   = trace.WithSpanKind(trace.SpanKindServer)
	kindConsumer = trace.WithSpanKind(trace.SpanKindConsumer)
	kindProducer = trace.WithSpanKind(trace.SpanKindProducer)
	kindClient   = trace.WithSpanKind(trace.SpanKindClient)
	kindInternal = trace.WithSpanKind(trace.SpanKindInternal)
)

// objectID identifies the object of a span, as far as it is known.
type objectID struct {
	gvk        schema.GroupVersionKind
	namespace  string
	name       string
	prefix     string // generateName
	uid        string
	generation int64
}

func identify(gvk schema.GroupVersionKind, obj client.Object) objectID {
	return objectID{
		gvk:        gvk,
		namespace:  obj.GetNamespace(),
		name:       obj.GetName(),
		prefix:     obj.GetGenerateName(),
		uid:        string(obj.GetUID()),
		generation: obj.GetGeneration(),
	}
}

// changed returns the attributes of now that are new or differ, after a write.
func (o objectID) changed(now objectID) []attribute.KeyValue {
	if now == o {
		return nil
	}
	out := make([]attribute.KeyValue, 0, 4)
	if now.namespace != o.namespace && now.namespace != "" {
		out = append(out, NamespaceKey.String(now.namespace))
	}
	if now.name != o.name && now.name != "" {
		out = append(out, ObjectNameKey.String(now.name))
	}
	if now.uid != o.uid && now.uid != "" {
		out = append(out, ObjectUIDKey.String(now.uid))
	}
	if now.generation != o.generation && now.generation > 0 {
		out = append(out, ObjectGenerationKey.Int64(now.generation))
	}
	return out
}

func (o objectID) attributes() []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, 8)
	add := func(k attribute.Key, v string) {
		if v != "" {
			out = append(out, k.String(v))
		}
	}
	add(ObjectGroupKey, o.gvk.Group)
	add(ObjectVersionKey, o.gvk.Version)
	add(ObjectKindKey, o.gvk.Kind)
	add(NamespaceKey, o.namespace)
	add(ObjectNameKey, o.name)
	add(ObjectUIDKey, o.uid)
	if o.generation > 0 {
		out = append(out, ObjectGenerationKey.Int64(o.generation))
	}
	return out
}
