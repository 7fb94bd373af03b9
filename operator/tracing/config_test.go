package tracing

import (
	"context"
	"encoding/base64"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// Interfaces that the package implements.
var (
	_ client.Client                                   = WrapClient(nil)
	_ client.NewClientFunc                            = NewClientFunc()
	_ reconcile.Reconciler                            = WrapReconciler(&corev1.Pod{}, nil)
	_ reconcile.ObjectReconciler[*corev1.Pod]         = WrapObjectReconciler[*corev1.Pod](nil)
	_ admission.Defaulter[*appsv1.Deployment]         = WrapDefaulter[*appsv1.Deployment](nil)
	_ admission.Defaulter[runtime.Object]             = WrapDefaulter[runtime.Object](nil)
	_ trace.TracerProvider                            = (*tracingtest.TracerProvider)(nil)
	_ func(context.Context, client.Object, ...Option) = InjectContext
)

func TestOff(t *testing.T) {
	var nilPointer *tracingtest.TracerProvider
	for name, tc := range map[string]struct {
		opts []Option
		want bool
	}{
		"unset global":              {nil, true},
		"nil":                       {[]Option{WithTracerProvider(nil)}, true},
		"nil pointer":               {[]Option{WithTracerProvider(nilPointer)}, true},
		"no-op":                     {[]Option{WithTracerProvider(noop.NewTracerProvider())}, true},
		"pointer to no-op":          {[]Option{WithTracerProvider(&noop.TracerProvider{})}, true},
		"the global, handed over":   {[]Option{WithTracerProvider(otel.GetTracerProvider())}, true},
		"a provider":                {[]Option{WithTracerProvider(tracingtest.NewTracerProvider())}, false},
		"no-op after a provider":    {[]Option{WithTracerProvider(tracingtest.NewTracerProvider()), WithTracerProvider(noop.NewTracerProvider())}, true},
		"nil ignored":               {[]Option{WithTracerProvider(tracingtest.NewTracerProvider()), WithTracerProvider(nil)}, false},
		"a nil option changes none": {[]Option{nil, WithTracerProvider(tracingtest.NewTracerProvider())}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newConfig(tc.opts).off(); got != tc.want {
				t.Errorf("off is %t, want %t", got, tc.want)
			}
			if got := switchedOff(tc.opts); got != tc.want {
				t.Errorf("switchedOff is %t, want %t", got, tc.want)
			}
		})
	}
}

// TestGlobalIsReadLate is the only test that sets the global provider. It restores a no-op
// provider.
func TestGlobalIsReadLate(t *testing.T) {
	c := newConfig([]Option{WithTracerProvider(otel.GetTracerProvider())})
	tp := tracingtest.NewTracerProvider()
	otel.SetTracerProvider(tp)
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	if c.off() {
		t.Fatal("off() = true after the global provider was set, want false")
	}
	_, span := c.tracer().Start(t.Context(), "span")
	span.End()
	if len(tp.Spans()) != 1 {
		t.Error("the span did not go to the global provider")
	}
}

func TestParseUntrustedContext(t *testing.T) {
	for _, f := range []UntrustedContext{UntrustedLink, UntrustedParent, UntrustedIgnore} {
		if got, err := ParseUntrustedContext(f.String()); err != nil || got != f {
			t.Errorf("parsing %q: %v, %v", f, got, err)
		}
	}
	if _, err := ParseUntrustedContext("Parent"); err == nil {
		t.Error("parsing an unknown word returned nil, want an error")
	}
}

func TestTokenSubject(t *testing.T) {
	token := func(payload string) string {
		return "head." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".signature\n"
	}
	for name, tc := range map[string]struct{ token, want string }{
		"service account": {token(`{"sub":"system:serviceaccount:ns:name"}`), "system:serviceaccount:ns:name"},
		"another subject": {token(`{"sub":"admin"}`), ""},
		"no JSON":         {token(`x`), ""},
		"no base64":       {"a.!.b", ""},
		"no token":        {"", ""},
	} {
		if got := tokenSubject(tc.token); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
