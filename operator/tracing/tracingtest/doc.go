// Package tracingtest records spans in memory, so that tests of an operator can say which spans it makes.
//
// Its entry is [NewTracerProvider]: it implements the OpenTelemetry API without the SDK, and what it
// recorded is read as [Span] or, to be matched against an expected tree, as spans of package spantree;
// [Check] does that in one call, with a file that tests on a cluster can use as well.
// Tests of operators call it, and those of package tracing itself.
//
// It never exports anything, and never drops or batches: a span is there as soon as it has ended.
package tracingtest
