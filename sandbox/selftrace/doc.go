// Package selftrace traces the commands of the sandbox itself, as spans of the service "sandbox".
//
// A [Recorder] creates spans and keeps them, because Jaeger does not run yet when a sandbox starts.
// Package up starts a span for each step as a child of the span in its context. Without a span in
// the context, it records nothing. [Recorder.CriticalPath] returns the steps that determined the
// total duration. At the end, the command sends the trace to the Jaeger that it started.
//
// The package does not use OpenTelemetry's globals. It ignores the OTEL_* environment variables,
// which are for the programs of the user.
package selftrace
