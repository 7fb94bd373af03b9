package tracing

import (
	"context"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/trace"
	clientmetrics "k8s.io/client-go/tools/metrics"
)

// This metric of client-go is the only source for the time that a request waits for its client's
// rate limiter. A limiter in rest.Config would not work: controller-runtime creates one client for
// each kind, and they would then share it. The hook is set before main, like client-go's own
// Register, and calls the previous hook. If a later Register replaces it, the attributes are
// absent.
func init() { //nolint:gochecknoinits // see above
	clientmetrics.RateLimiterLatency = limiterHook{clientmetrics.RateLimiterLatency}
}

type limiterHook struct{ next clientmetrics.LatencyMetric }

// Observe implements metrics.LatencyMetric. It ignores waits of less than a millisecond.
func (h limiterHook) Observe(ctx context.Context, verb string, u url.URL, latency time.Duration) {
	h.next.Observe(ctx, verb, u, latency)
	if latency < minWait {
		return
	}
	s := sessionFrom(ctx)
	if s == nil {
		return
	}
	s.limiterWait.Add(int64(latency))
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		if _, waits := span.(*lazySpan); !waits {
			span.SetAttributes(WriteLimiterWaitKey.Float64(latency.Seconds()))
		}
	}
}
