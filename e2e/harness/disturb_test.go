package harness

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

func TestPointNowhere(t *testing.T) {
	service := &admissionregistrationv1.ServiceReference{Namespace: "ns", Name: "hook", Path: ptr.To("/path")}
	elsewhere := service.DeepCopy()
	elsewhere.Port = ptr.To[int32](1)
	tests := map[string]struct {
		before, after admissionregistrationv1.WebhookClientConfig
	}{
		"service": {admissionregistrationv1.WebhookClientConfig{Service: service, CABundle: []byte("ca")}, admissionregistrationv1.WebhookClientConfig{Service: elsewhere, CABundle: []byte("ca")}},
		"URL": {admissionregistrationv1.WebhookClientConfig{URL: ptr.To("https://localhost:9443/mutate-a-head")},
			admissionregistrationv1.WebhookClientConfig{URL: ptr.To("https://localhost:1/mutate-a-head")}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := *test.before.DeepCopy()
			if err := pointNowhere(&got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.after, got); diff != "" {
				t.Errorf("client configuration (-want +got):\n%s", diff)
			}
		})
	}
	if err := pointNowhere(&admissionregistrationv1.WebhookClientConfig{}); err == nil {
		t.Error("no error for a webhook without an address")
	}
}

// TestGenerationTraceID uses the same value as the operator's own tests.
func TestGenerationTraceID(t *testing.T) {
	head := &v1alpha1.Head{ObjectMeta: metav1.ObjectMeta{UID: "u"}}
	if one, other := GenerationTraceID(head, 1), GenerationTraceID(head, 2); len(one) != 32 || one == other {
		t.Errorf("trace ids of two generations = %s and %s, want different ones", one, other)
	}
	// The value is the first 16 bytes of SHA-256 of "u/1".
	if got, want := GenerationTraceID(head, 1), "4f435f2f803c21592502bff0763becd1"; got != want {
		t.Errorf("GenerationTraceID = %s, want %s", got, want)
	}
}

func TestOnlyOwnVariables(t *testing.T) {
	if err := new(Cluster).SetOperatorEnv(t.Context(), map[string]string{"HOME": "/"}); err == nil {
		t.Error("no error for a variable that reset does not remove")
	}
}
