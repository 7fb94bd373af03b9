package tracing

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	corev1 "k8s.io/api/core/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestTransportOverTheWire sends a write through a real client: the API server receives the span's
// context.
func TestTransportOverTheWire(t *testing.T) {
	headers := map[string]string{} // by the method of the request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers[r.Method] = r.Header.Get("traceparent")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/api/v1":
			_, _ = w.Write([]byte(`{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"configmaps","namespaced":true,"kind":"ConfigMap"}]}`))
		case strings.HasSuffix(r.URL.Path, "/configmaps"), strings.Contains(r.URL.Path, "/configmaps/"):
			_, _ = w.Write([]byte(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"ns","name":"owner","uid":"1"}}`))
		default:
			_, _ = w.Write([]byte(`{"kind":"APIVersions","versions":["v1"]}`))
		}
	}))
	defer server.Close()
	tp := tracingtest.NewTracerProvider()
	config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}}
	config.Wrap(WrapTransport(WithTracerProvider(tp)))
	c, err := NewClientFunc(WithTracerProvider(tp))(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := WrapReconciler(&corev1.ConfigMap{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		if err := c.Get(ctx, req.NamespacedName, &corev1.ConfigMap{}); err != nil {
			return reconcile.Result{}, err
		}
		if tp.Unended() != 0 {
			t.Error("a read started the reconcile's span")
		}
		return reconcile.Result{}, c.Create(ctx, configMap("new"))
	}), WithTracerProvider(tp))
	if _, err := r.Reconcile(t.Context(), requestFor(configMap("owner"))); err != nil {
		t.Fatal(err)
	}
	written := spanNamed(t, tp.Spans(), "create ConfigMap").Context
	if want := "00-" + written.TraceID().String() + "-" + written.SpanID().String() + "-01"; headers[http.MethodPost] != want {
		t.Errorf("the write's header is %q, want %q", headers[http.MethodPost], want)
	}
	if headers[http.MethodGet] != "" {
		t.Errorf("a read of a reconcile without a span has the header %q", headers[http.MethodGet])
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTransport(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	ctx, span := tp.Tracer("own").Start(t.Context(), "own")
	defer span.End()
	own := "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"
	answer := errors.New("the answer")
	for name, tc := range map[string]struct {
		ctx   context.Context
		tp    trace.TracerProvider
		given string
		want  string
	}{
		"a span":            {ctx, tp, "", own},
		"no span":           {t.Context(), tp, "", ""},
		"a header is there": {ctx, tp, "theirs", "theirs"},
		"off":               {ctx, noop.NewTracerProvider(), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			rt := WrapTransport(WithTracerProvider(tc.tp))(roundTripper(func(r *http.Request) (*http.Response, error) {
				got = r.Header.Get("traceparent")
				return nil, answer
			}))
			req := httptest.NewRequestWithContext(tc.ctx, http.MethodGet, "http://127.0.0.1", nil)
			if tc.given != "" {
				req.Header.Set("traceparent", tc.given)
			}
			if _, err := rt.RoundTrip(req); !errors.Is(err, answer) { //nolint:bodyclose // there is no body
				t.Errorf("error %v", err)
			}
			if got != tc.want {
				t.Errorf("the header is %q, want %q", got, tc.want)
			}
			if after := req.Header.Get("traceparent"); after != tc.given {
				t.Errorf("the caller's request has the header %q now", after)
			}
		})
	}
}

func TestTransportIsFoundThrough(t *testing.T) {
	inner := &http.Transport{}
	wrapper, ok := WrapTransport()(inner).(utilnet.RoundTripperWrapper)
	if !ok || wrapper.WrappedRoundTripper() != inner {
		t.Error("WrappedRoundTripper() does not return the inner transport")
	}
	if wrapper, ok = WrapTransport()(nil).(utilnet.RoundTripperWrapper); !ok || wrapper.WrappedRoundTripper() != http.DefaultTransport {
		t.Error("nil is not the default transport")
	}
}

func TestTransportWithoutHeaders(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	ctx, span := tp.Tracer("own").Start(t.Context(), "own")
	defer span.End()
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1", nil)
	req.Header = nil
	if _, err := WrapTransport(WithTracerProvider(tp))(&http.Transport{}).RoundTrip(req); err == nil { //nolint:bodyclose // there is no body
		t.Error("RoundTrip(request without headers) = nil, want http.Transport's error")
	}
}
