package tracing

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Keys of the attributes that spans of this package have. What is unknown is absent, never empty or zero.
const (
	// NamespaceKey is the object's namespace, in the words of OpenTelemetry's registry.
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

	// ReconcileIDKey is controller-runtime's id of the reconcile, the one in its log lines.
	ReconcileIDKey = attribute.Key("operator.reconcile.id")
	// ReconcileAttemptKey counts from 1 how often the request was taken from the queue since it last
	// succeeded, or asked for a delay of its own.
	ReconcileAttemptKey = attribute.Key("operator.reconcile.attempt")
	// ReconcileQueueWaitKey is the time, in seconds, from when the request was ready to be taken from the
	// queue until a worker took it. A delay that was asked for is not part of it.
	ReconcileQueueWaitKey = attribute.Key("operator.reconcile.queue_wait")
	// ReconcileDelayKey is the time, in seconds, that the request was held back, because a back-off, a result or a handler asked
	// for a delay. An event can end the wait early. It is absent if there was none.
	ReconcileDelayKey = attribute.Key("operator.reconcile.delay")
	// ReconcileTriggerKey is what made the request be queued first: the event and the kind of its object, as
	// "update ChildA", or "requeue" if an earlier reconcile asked for it and no event came.
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
	// ReconcileCauseSpanKey is the span id of the write that made this version, if this process made it.
	ReconcileCauseSpanKey = attribute.Key("operator.reconcile.cause.span_id")
	// ReconcileCauseTraceKey is the trace id of that write. The span has a link to the write if the trace is another one.
	ReconcileCauseTraceKey = attribute.Key("operator.reconcile.cause.trace_id")
	// ReconcileReadWaitKey is the time, in seconds, that reads took in a client with read-your-own-writes consistency
	// (controller-runtime's EnableReadYourWritesConsistency). Reads of less than a millisecond are left out.
	ReconcileReadWaitKey = attribute.Key("operator.reconcile.read_wait")
	// ReconcileLimiterWaitKey is the time, in seconds, that requests of the reconcile waited for the client's rate limiter.
	ReconcileLimiterWaitKey = attribute.Key("operator.reconcile.rate_limiter_wait")
	// ReconcileEventsKey counts the events that the queue coalesced into this reconcile, if more than one.
	ReconcileEventsKey = attribute.Key("operator.reconcile.events")
	// ReconcileRequeueReasonKey is why an earlier reconcile asked for this one: error, conflict, requeue or
	// requeue_after.
	ReconcileRequeueReasonKey = attribute.Key("operator.reconcile.requeue_reason")
	// ReconcileRequeueAfterKey is the delay, in seconds, that a successful reconcile asked for.
	ReconcileRequeueAfterKey = attribute.Key("operator.reconcile.requeue_after")
	// ReconcileResultKey is one of success, requeue, requeue_after, error, terminal_error, panic.
	ReconcileResultKey = attribute.Key("operator.reconcile.result")
	// ReconcileWriteIntentKey is what the writes were for, by what became of the objects, in alphabetical order and joined by
	// commas: delete, desired_state (a create, or a higher generation), metadata (a change without one), other (another
	// subresource, a kind without generations, or a write that failed), status; or none.
	ReconcileWriteIntentKey = attribute.Key("operator.reconcile.write_intent")
	// ReconcileSpansDroppedKey counts the reads and unchanged writes that got no span because the reconcile had too many before
	// its own span started.
	ReconcileSpansDroppedKey = attribute.Key("operator.reconcile.spans_dropped")

	// WriteUnchangedKey is true for a write that changed nothing: the API server returned the resourceVersion that was known
	// before.
	WriteUnchangedKey = attribute.Key("operator.write.unchanged")
	// WriteLimiterWaitKey is the time, in seconds, that a write waited for the client's rate limiter.
	WriteLimiterWaitKey = attribute.Key("operator.write.rate_limiter_wait")

	// ReadVersionKey is the resourceVersion that a stale read returned, on that event.
	ReadVersionKey = attribute.Key("operator.read.resource_version")
	// WrittenVersionKey is the resourceVersion that this process wrote before a stale read, on that event.
	WrittenVersionKey = attribute.Key("operator.read.written_resource_version")

	// FinalizersAddedKey lists the finalizers that a write added, if the object was read before.
	FinalizersAddedKey = attribute.Key("operator.object.finalizers.added")
	// FinalizersRemovedKey lists the finalizers that a write removed, if the object was read before.
	FinalizersRemovedKey = attribute.Key("operator.object.finalizers.removed")

	// ErrorTypeKey is the reason of an API error, or the type of another, on spans with status Error.
	ErrorTypeKey = attribute.Key("error.type")

	// AdmissionMessageKey is what the webhook says about a request that it denies, on that event.
	AdmissionMessageKey = attribute.Key("operator.admission.message")

	// ConditionReasonKey is the new reason on the event of a condition's change.
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

// objectID says what a span is about, as far as it is known.
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

// news gives the attributes of what is known now, after a write, and was not before, or has changed.
func (o objectID) news(now objectID) []attribute.KeyValue {
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
