// Package tracingtest records spans in memory, so that tests of an operator can check its spans.
//
// Use [NewTracerProvider], which implements the OpenTelemetry API without the SDK.
// [TracerProvider.Spans] returns the recorded spans, and [TracerProvider.Spantree] returns them for
// a comparison with an expected tree. [Check] does the comparison in one call, with a file that
// tests on a cluster can use as well.
//
// The package never exports, drops or batches spans: a span is recorded as soon as it has ended.
package tracingtest
