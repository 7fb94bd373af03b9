// Package tracing follows a change of a Kubernetes object through every operator that reacts to it.
//
// # A trace is one change
//
// A user creates an object or changes its spec. Webhooks and controllers then work until the
// cluster matches the spec. This package records that work as one trace. The admission is the root.
// Each reconcile that does something is a span, each write is a span in its reconcile, and a
// reconcile that a write causes is a child of the write. The next change starts a new trace with a
// link to the trace before.
//
//	admit Head                     the webhook admits the change
//	├─ reconcile Head              a controller reacts
//	│  └─ create ChildA            and writes
//	│     └─ reconcile ChildA      the next controller reacts to the write
//	│        └─ create Deployment
//	└─ converge Head               from the change until Ready=True
//
// A reconcile that does nothing exports nothing, however often it runs.
//
// # How to adopt it
//
// Reconcilers contain no tracing code. [WrapManager] traces an operator from its main function: the
// client, every controller with its queue, and every mutating webhook. An operator can also use the
// single wrappers: [WrapClient] or [NewClientFunc], [WrapReconciler] and its variants,
// [NewQueueObserver], [WrapEventHandler], [WrapDefaulter], [WrapAdmissionHandler], and [Complete]
// for a builder. [WrapTransport] sends the context of a write to the API server. Pass the same
// options to all of them.
//
// Spans go to the TracerProvider of [WithTracerProvider]. Package provider creates one from the
// environment. Package tracingtest records spans in tests, and docs/spans.md in this project's
// repository lists the attributes of all spans.
//
// # Guarantees
//
// With tracing on or off, the API server receives the same requests. The package adds no read and
// no write, and never changes a request of a reconcile: creates, updates, patches, applies, dry
// runs and subresources pass through byte for byte. There are two exceptions. A create outside of a
// reconcile is annotated if its context has a span ([WithCreateAnnotation] extends this to all
// creates). A webhook's answer to a user's create or change of the spec contains the annotations,
// too.
//
// The package never fails a reconcile or an admission, and passes on results, errors and panics
// unchanged. Its memory is bounded. It does not import the OpenTelemetry SDK. With no
// TracerProvider, a no-op provider, or an unset global provider it allocates nothing.
//
// # How a reconcile finds its write
//
// A bounded table in the process records which span wrote which generation and which version of an
// object. It is filled from the responses of the API server. Wrappers with the same TracerProvider
// share it. A reconcile is a child of the write that created its object's generation. The write
// that created the version in the event is recorded as the reconcile's cause.
//
// In another process, or after a restart, the reconcile is a root in the trace whose id is the
// first 16 bytes of SHA-256 over "{uid}/{generation}". The span of the write has a link to that
// trace, which readers can follow.
//
// A webhook receives no response from the API server, so its context is on the object, in the
// annotations traceparent, tracestate and origin ([AnnotationCarrier]).
//
// # Parents, links and roots
//
// A reconcile is a child of its object's context while that context is fresh: until [WithMaxAge]
// after the change, or until [WithConvergedAge] after the object became ready. If the object has no
// context, the context of its controlling owner counts, if the reconcile read the owner. Otherwise
// the reconcile is a root in the trace of the generation. A stale reconcile joins the trace of the
// fresh write that triggered it, or starts a new trace with a link to the trace before. So no
// trace grows for the whole life of its object. [WithRelation] selects another policy.
//
// # Trust
//
// Every user that may write an object may write its annotations, and every client may send a
// header. The webhook keeps a context from the operator itself and from trusted writers
// ([WithTrustedWriters]). A context from another user becomes a link by default
// ([WithUntrustedContext]), and samplers can ignore its sampled flag ([IsUntrusted]). For kinds
// without a webhook, a user with write permission on an object can choose its trace. A malformed
// context is ignored.
package tracing
