// Package tracetree is the model of traces: their spans, the trees that the spans form, also across
// several traces, and the conditions of a complete tree. It reads traces through a [Reader], for
// example the client in package jaeger, or from files.
//
// # Waiting
//
// Spans arrive late, in batches, and children before parents. [WaitComplete] waits until the
// expected spans exist, no parent is missing, no new span arrived for a while, and the object of
// the trace, if any, is ready. [Complete] also returns when each of these four conditions became
// true. After a timeout, both return an *[IncompleteError] with all details.
//
// # Trees of several traces
//
// An operator reacts to the write of another process in a separate trace. The span of the write has
// a link to it. [ReadTree] reads a trace with all its continuations and returns them as one tree.
// [WaitComplete] waits for the whole tree. [FindCurrent] finds the tree of an object. Only
// [TraceIDOf], [Continuation] and [FindCurrent] are specific to Kubernetes and to the library
// operator/tracing of this repository.
//
// # Files
//
// [Trace.JSON] writes OTLP JSON. [ReadOTLP] reads it, including files of collectors. [FromOTLP]
// creates traces from spans, for tests without Jaeger.
package tracetree
