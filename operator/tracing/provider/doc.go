// Package provider sets up the OpenTelemetry SDK for an operator from the standard OTEL_*
// variables.
//
// The start-up code of an operator calls [New] once. [Provider.Options] connects the result to
// package tracing, and [Provider.Run] or [Provider.Shutdown] exports the remaining spans when the
// process ends. The package is a module of its own, so an operator can use package tracing without
// the SDK and the exporters.
//
// # Failures
//
// Tracing never stops an operator from starting. If a variable is malformed, New logs one line with
// its name, its value, the reason and the setting that is used instead, and returns a Provider that
// works as far as possible. For example, OTEL_RESOURCE_ATTRIBUTES=team=a, keeps the pair team=a.
// The lines never contain headers, private keys, or users in URLs. With [WithStrict], New returns
// all problems as an error instead.
//
// Exporting never blocks or fails a reconcile. The SDK exports spans in the background and drops
// them if the collector is not available.
//
// The package never sets the global TracerProvider or propagator. It replaces the global error
// handler only with [WithLogger].
package provider
