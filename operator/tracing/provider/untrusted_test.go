package provider

import (
	"context"
	"fmt"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// TestUntrustedSampledFlagIsIgnored uses the webhook, which marks contexts as untrusted. A user can
// neither force nor prevent sampling, by a link or by a parent.
func TestUntrustedSampledFlagIsIgnored(t *testing.T) {
	const format = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-%s"
	for _, untrusted := range []tracing.UntrustedContext{tracing.UntrustedLink, tracing.UntrustedParent} {
		for _, flag := range []string{"00", "01"} {
			for root, want := range map[string]int{
				"parentbased_always_on": 1, "parentbased_always_off": 0,
				"parentbased_linksbased_always_on": 1, "parentbased_linksbased_always_off": 0, "linksbased_randomratio": 1,
			} {
				t.Run(fmt.Sprintf("%s %s %s", untrusted, flag, root), func(t *testing.T) {
					environment(t, map[string]string{samplerKey: root, exporterKey: "none"})
					recorder := tracetest.NewSpanRecorder()
					p, err := New(t.Context(), WithSpanProcessor(recorder))
					if err != nil {
						t.Fatal(err)
					}
					d := tracing.WrapDefaulter[*corev1.ConfigMap](nil, tracing.WithTracerProvider(p.TracerProvider()),
						tracing.WithUntrustedContext(untrusted), tracing.WithTrustedWriters())
					obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
						Annotations: map[string]string{"tracing.k8s.io/traceparent": fmt.Sprintf(format, flag)},
					}}
					req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create}}
					if err := d.Default(admission.NewContextWithRequest(t.Context(), req), obj); err != nil {
						t.Fatal(err)
					}
					if got := len(recorder.Ended()); got != want {
						t.Errorf("%d spans were sampled, want %d", got, want)
					}
				})
			}
		}
	}
}

// TestTrustedSampledFlagDecides: the sampled flag of a context that is not marked has its usual
// effect.
func TestTrustedSampledFlagDecides(t *testing.T) {
	s := IgnoreUntrusted(sdktrace.ParentBased(sdktrace.AlwaysSample()))
	for flags, want := range map[trace.TraceFlags]sdktrace.SamplingDecision{0: sdktrace.Drop, trace.FlagsSampled: sdktrace.RecordAndSample} {
		parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags, Remote: true})
		ctx := trace.ContextWithRemoteSpanContext(context.WithoutCancel(t.Context()), parent)
		if got := s.ShouldSample(sdktrace.SamplingParameters{ParentContext: ctx, TraceID: parent.TraceID()}); got.Decision != want {
			t.Errorf("flags %v: decision %v, want %v", flags, got.Decision, want)
		}
	}
}
