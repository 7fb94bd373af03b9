// Package selftrace is the sandbox's trace of itself: what a command spends its time on, as spans of the service "sandbox".
//
// A [Recorder] makes the spans and keeps them, for when a sandbox is made there is no Jaeger yet to send them to. Package up makes
// a span of each step, below whatever span its context carries; without one, nothing is recorded. [Recorder.CriticalPath] says
// which of the steps the whole had to wait for. At the end the command sends the trace to the Jaeger that it started.
//
// The package never touches OpenTelemetry's globals, and the environment's OTEL_* variables, which are for users' programs, have
// no influence.
package selftrace
