package tracing

import (
	"context"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/trace"
	clientmetrics "k8s.io/client-go/tools/metrics"
)

// client-go tells nothing but this metric how long a request waited for the rate limiter of its client, and controller-runtime makes
// one client for each kind, so that a limiter in rest.Config would be another one. The hook is set before main, as client-go's own
// Register is, and hands on to the one before. A later Register replaces it: then the attributes are absent.
func init() { //nolint:gochecknoinits // see above
	clientmetrics.RateLimiterLatency = limiterHook{clientmetrics.RateLimiterLatency}
}

type limiterHook struct{ next clientmetrics.LatencyMetric }

// Observe implements metrics.LatencyMetric. Waits of less than a millisecond are none.
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
