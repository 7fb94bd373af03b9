package tracing

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/transport"
)

// WrapTransport returns a wrapper for rest.Config.Wrap. It adds the headers of the propagator, for
// example traceparent, to each request with a span in its context, so that spans of the API server
// and of its webhooks can join the trace. It creates no spans. A request does not start the span of
// its reconcile, except a patch that is not empty. It does not replace headers that are set
// already. It passes on a request with a nil header map, which http.Transport rejects.
//
// kube-apiserver continues a trace only for users in the groups system:masters and
// system:monitoring, and links its spans for all other users (KEP-647). While tracing is off,
// requests are not changed. The transport is as safe for concurrent use as the wrapped transport;
// nil stands for http.DefaultTransport.
func WrapTransport(opts ...Option) transport.WrapperFunc {
	c := newConfig(opts)
	return func(inner http.RoundTripper) http.RoundTripper {
		if inner == nil {
			inner = http.DefaultTransport
		}
		return &tracedTransport{inner: inner, cfg: c}
	}
}

type tracedTransport struct {
	inner http.RoundTripper
	cfg   *config
}

var _ utilnet.RoundTripperWrapper = (*tracedTransport)(nil)

// WrappedRoundTripper implements net.RoundTripperWrapper, which client-go uses to unwrap
// transports.
func (t *tracedTransport) WrappedRoundTripper() http.RoundTripper { return t.inner }

// RoundTrip implements http.RoundTripper.
func (t *tracedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.cfg.off() {
		return t.inner.RoundTrip(req)
	}
	ctx := req.Context()
	span := trace.SpanFromContext(ctx)
	if lazy, ok := span.(*lazySpan); ok {
		if span = lazy.started(); span == nil && changesSomething(lazy, req) {
			span = lazy.ensure()
		}
		if span == nil {
			return t.inner.RoundTrip(req)
		}
		ctx = trace.ContextWithSpan(ctx, span)
	}
	if !span.SpanContext().IsValid() || req.Header == nil || t.has(req.Header) {
		return t.inner.RoundTrip(req)
	}
	// A round tripper must not change its request.
	req = req.Clone(req.Context())
	t.cfg.propagators.Inject(ctx, propagation.HeaderCarrier(req.Header))
	return t.inner.RoundTrip(req)
}

// changesSomething reports whether a request is a non-empty patch whose span has not started. It
// returns false for an apply, which contains all fields each time, so its size says nothing about
// changes.
func changesSomething(lazy *lazySpan, req *http.Request) bool {
	_, waits := lazy.owner.(waitingWrite)
	return waits && req.ContentLength > int64(len("{}")) && !strings.HasPrefix(req.Header.Get("Content-Type"), "application/apply-patch")
}

// has reports whether any of the propagator's headers is set.
func (t *tracedTransport) has(header http.Header) bool {
	for _, field := range t.cfg.propagators.Fields() {
		if header.Get(field) != "" {
			return true
		}
	}
	return false
}
