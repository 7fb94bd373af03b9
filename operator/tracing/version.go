package tracing

// ScopeName is the instrumentation scope of every span that this package starts.
const ScopeName = "github.com/operator-tracing/sandbox/operator/tracing"

// Version is the version of this package. Spans carry it as the version of their instrumentation
// scope.
const Version = "0.1.0"
