// Package tracing follows a change of a Kubernetes object through every operator that reacts to it.
//
// It wraps what an operator built with controller-runtime already has, so that reconcilers contain no
// tracing code: [WrapReconciler] and [WrapObjectReconciler] give a reconcile its span, [WrapClient] (or
// [NewClientFunc] for a manager) gives every write a span and puts the span's context on the object that
// the write changes, and [WrapDefaulter] starts a trace when a user creates or changes an object. The
// context travels in annotations ([AnnotationCarrier]): the next operator that reconciles the object
// continues the trace, and what a cluster did about one change of the desired state is one tree of spans.
//
// Operators call it from the place where they build their manager; nothing else needs to know it.
//
// It never issues a read or a write of its own, never fails a reconcile or an admission, never exports
// anything for a reconcile that did nothing, and never imports the OpenTelemetry SDK: with no
// TracerProvider, a no-op one, or an unset global it costs nothing and leaves annotations alone.
package tracing
