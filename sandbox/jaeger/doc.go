// Package jaeger reads traces from a Jaeger, the sandbox's or any other.
//
// [Dial] gives a [Client] of the query service's gRPC interface (port 16685),
// which reads a [Trace] by its id or searches for traces. A trace converts to
// the spans of spantree, for comparing, and to OTLP JSON, for files. The
// sandbox's commands and the end-to-end tests call it; [WaitComplete] is the
// rule by which both decide that a trace has all its spans.
//
// The package never writes to Jaeger, and never reads a trace from Kubernetes:
// [TraceIDOf] only parses the annotation that a caller has read.
package jaeger
