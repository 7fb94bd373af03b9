// Package provider sets up the OpenTelemetry SDK for an operator from the standard OTEL_* variables.
//
// Its entry is [New], which an operator's start-up code calls once; the [Provider]'s TracerProvider goes
// into the options of package tracing, and Shutdown sends what is left when the process ends. It is a
// module of its own, so that only those who choose it get the SDK and the exporters.
//
// It never sets the global TracerProvider, and exporting never blocks or fails a reconcile: spans are
// batched in the background and dropped when no collector takes them.
package provider
