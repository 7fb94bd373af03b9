// Package writes derives the writes to objects, with their writers and causes, from the versions of
// objects that watches deliver.
//
// # Model
//
// A [Write] is a change of one object: its writer, its time, and the names of the changed fields.
// The order of writes is the order of their resourceVersions (KEP-5504), and the time of a write is
// when a watch delivered it, but not later than the time of any later write.
//
// A write belongs to a loop: one controller that reconciles one object. The controller of the
// writes is their field manager. The reconciled object is the controlling owner of a created
// object, or the object itself if its status, finalizers or binding were written.
//
// The cause of a write is the latest earlier write that its loop reacts to: of the reconciled
// object, of an object that it owns, or of an object that it refers to; see [Certainty]. Writes of
// the loop itself are excluded. The second write of a reconcile has the cause of the first: if
// nothing else was written in between, or if the controller made such a pair of writes before. If the
// loop has written after that and then paused, the cause is its own previous write. A write without a
// cause is a change by a user, and starts a trace.
//
// A reaction is the span of a write. It starts when the cause was written and ends with the write.
// So along a chain of causes, the durations add up to the whole time.
//
// # Joining other traces
//
// If a write put a W3C trace context on its object (annotation tracing.k8s.io/traceparent), then the
// write was traced: its context is the parent of the reactions to it, and it gets no span here. Other
// writes of such a controller have spans of their own in that trace, so they get none here either.
// Without a context, the trace id is derived from the UID and the generation of the changed object,
// as package operator/tracing derives it.
//
// # Bounds
//
// The package keeps digests of objects, never their values. All tables are bounded; see limits.go.
package writes
