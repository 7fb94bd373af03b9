// Package tracing follows a change of a Kubernetes object through every operator that reacts to it.
//
// # A trace is one change
//
// A user creates an object, or changes what it asks for. From then on webhooks and controllers work until the cluster is as asked.
// This package makes one trace of that: the admission is its root, each reconcile that does something is a span, each write is a span
// within its reconcile, and the reconciles that a write causes are below the write. The next change starts the next trace, linked to
// the one before.
//
//	admit Head                     the webhook lets the change in
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
// Reconcilers contain no tracing code. [WrapManager] traces an operator from its main function: the client, every controller with its
// queue, and every mutating webhook. The wrappers that it uses can be called one by one: [WrapClient] or [NewClientFunc],
// [WrapReconciler] and its variants, [NewQueueObserver], [WrapEventHandler], [WrapDefaulter], [WrapAdmissionHandler], and [Complete] for
// a builder. [WrapTransport] hands the context of a write to the API server. All take the same options: give each the same ones.
//
// Spans go to the TracerProvider of [WithTracerProvider]. Package provider creates one from the environment. Package tracingtest records
// spans in tests, and docs/spans.md in this project's repository lists what they contain.
//
// # What it never does
//
// With tracing on or off, the API server receives the same requests. The package adds no read and no write, and never changes a
// request of a reconcile: creates, updates, patches, applies, dry runs and subresources pass through byte for byte. Without asking the
// API server it can't be known which writes change the desired state, so that no context on an update is right. The package changes
// two things only: an object that is created outside of a reconcile, with a span in the context ([WithCreateAnnotation] for all
// creates), and a webhook's answer to a user's create or change of the spec.
//
// It never fails a reconcile or an admission, and hands on results, errors and panics as they are. All that it remembers is bounded. It
// never imports the OpenTelemetry SDK. With no TracerProvider, a no-op one, or an unset global it allocates nothing.
//
// # How a write and its reconcile meet
//
// A bounded table in the process says which span wrote which generation and which version of an object, by the responses of the API
// server. Wrappers with the same TracerProvider share it. A reconcile finds the write that made its object's generation there, and is
// its child; the write that made the version of the event is its recorded cause. In another process, or after a restart, the
// reconcile is a root in the trace whose id is the first 16 bytes of SHA-256 over "{uid}/{generation}". The span of the write has a
// link to that trace, which readers follow.
//
// A webhook has no response to read: its context is on the object, in the annotations traceparent, tracestate and origin
// ([AnnotationCarrier]).
//
// # Where a reconcile belongs
//
// It is a child of its object's context while that is fresh: [WithMaxAge] after the change, or [WithConvergedAge] after the object
// became ready. Without a context, the controlling owner's counts if the reconcile read the owner; otherwise it is a root in the trace
// of the generation. A stale reconcile joins the fresh write that triggered it, or starts a new trace with a link to the one before,
// so that no trace grows for ever. [WithRelation] chooses always a child, or always a link, instead.
//
// # Trust
//
// Every user that may write an object may write its annotations, and every client may send a header. The webhook takes a context
// from the operator itself and from trusted writers ([WithTrustedWriters]). A context of others becomes a link, or what
// [WithUntrustedContext] says, and samplers are told to ignore its flag. For kinds without the webhook, permission to write the object is
// permission to choose its trace. A malformed context is ignored.
package tracing
