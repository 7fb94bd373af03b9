package tracing

// ScopeName is the instrumentation scope of every span that this package starts.
const ScopeName = "github.com/operator-tracing/sandbox/operator/tracing"

// Version is the version of this package, given to the TracerProvider beside [ScopeName].
const Version = "0.1.0"
