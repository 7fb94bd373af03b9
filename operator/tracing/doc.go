// Package tracing follows a change of a Kubernetes object through every operator that reacts to it.
//
// # A trace is one change
//
// Somebody creates an object, or changes what it asks for. From then on webhooks and controllers work until the cluster is
// as asked, each when it gets round to it. This package makes one trace of that: the admission is its root, each reconcile
// that does something is a span, each write is a span within its reconcile, and what a write sets off elsewhere hangs below
// the write. The next change of what is asked for starts the next trace, linked to the last.
//
//	admit Head                     the webhook lets the change in
//	├─ reconcile Head              a controller reacts
//	│  └─ create ChildA            and writes; the context travels on the new object
//	│     └─ reconcile ChildA      so the next controller's reconcile belongs below
//	│        └─ create Deployment
//	└─ converge Head               from the change until Ready=True
//
// The context travels in annotations ([AnnotationCarrier]), tracing.k8s.io/traceparent above all, and only on writes that
// happen anyway. A reconcile that does nothing exports nothing, however often it runs.
//
// # What to wrap
//
// Reconcilers contain no tracing code. Where an operator builds its manager, it wraps what it has, with one set of options:
//
//   - the client, by [NewClientFunc] or [WrapClient]: a span for each write, the context on what it changes;
//   - each reconciler, by [WrapReconciler], [WrapTypedReconciler] or [WrapObjectReconciler];
//   - each controller's queue, by [NewQueueObserver]: how long a request waited, for which attempt, why, and which events were
//     merged into it. Watches with handlers of their own add [WrapEventHandler];
//   - webhooks, by [WrapDefaulter] or [WrapAdmissionHandler]: a trace begins when the user asks, not when the first
//     controller notices. Without a webhook the first reconcile begins it;
//   - rest.Config, by [WrapTransport]: the API server learns which write a request belongs to.
//
// Every part is of use alone, and only the first two are needed. Spans go to the TracerProvider of [WithTracerProvider];
// package provider makes one from the environment. Package tracingtest records spans in tests, and docs/spans.md in this
// project's repository lists what they say.
//
// # Where a reconcile belongs
//
// The object's stored context decides, as the reconciler itself first read the object. The reconcile is a child of that
// context while it belongs to the object's generation and is fresh: [WithMaxAge] after the change, or [WithConvergedAge]
// after the object became Ready. A stale one becomes a link of a new trace, so that no trace grows for ever. Without a
// context, or with one of another generation, the reconcile is a root in a trace whose id follows from the object's UID and
// generation: two processes agree on it without a write. Where that object's owner was read, the owner's context is used.
// [WithRelation] chooses always a child, or always a link, instead.
//
// # Trust
//
// An annotation is written by whoever may write the object, and a header by whoever sends the request. The webhook takes a
// context from nobody but the trusted writers ([WithTrustedWriters]): from others it becomes a link, or what
// [WithUntrustedContext] says, samplers are told not to heed it, and keys that others change later are put back. For kinds
// without the webhook, permission to write the object is permission to name its trace. A malformed context is as good as
// none: it never fails anything.
//
// # What it never does
//
// It issues no read and no write of its own, and turns no write into another. It never fails a reconcile or an admission,
// and hands on results, errors and panics as they are. Whatever it remembers is bounded. It never imports the OpenTelemetry
// SDK: with no TracerProvider, a no-op one, or an unset global it allocates nothing and leaves annotations alone.
package tracing
