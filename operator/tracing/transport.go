package tracing

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/transport"
)

// WrapTransport is for rest.Config.Wrap: it adds the headers of the propagator, traceparent above all, to
// each request that is sent on behalf of a span, so that the API server's own spans and those of its
// webhooks can belong to it. It makes no spans, and a request never makes a reconcile's span start, except a
// patch that is not empty. A header that is there already stays. A request without a map of headers, which http.Transport refuses, goes
// to what is wrapped as it is.
//
// kube-apiserver continues a trace only for users of the groups system:masters and system:monitoring, and
// links its spans for all others (KEP-647). While tracing is off, requests go through with nothing added.
// The transport is as safe for concurrent use as what it wraps; nil is wrapped as http.DefaultTransport.
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

// WrappedRoundTripper implements net.RoundTripperWrapper, by which client-go finds what is inside.
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
	// A round tripper must not change the request that it was given.
	req = req.Clone(req.Context())
	t.cfg.propagators.Inject(ctx, propagation.HeaderCarrier(req.Header))
	return t.inner.RoundTrip(req)
}

// changesSomething reports whether a request is a patch whose span waits, and that is not empty. An apply states everything each time,
// so nothing can be told of it.
func changesSomething(lazy *lazySpan, req *http.Request) bool {
	_, waits := lazy.owner.(waitingWrite)
	return waits && req.ContentLength > int64(len("{}")) && !strings.HasPrefix(req.Header.Get("Content-Type"), "application/apply-patch")
}

// has reports whether any of the propagator's headers is there.
func (t *tracedTransport) has(header http.Header) bool {
	for _, field := range t.cfg.propagators.Fields() {
		if header.Get(field) != "" {
			return true
		}
	}
	return false
}
