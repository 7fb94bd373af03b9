package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// TestCallByURL changes mutating and validating webhooks and the conversion of a kind. It keeps the
// field that cainjector wrote.
func TestCallByURL(t *testing.T) {
	t.Parallel()
	const service = `{service: {name: s, namespace: n, path: /p}, caBundle: eA==}`
	objects := []*unstructured.Unstructured{
		applytest.Object(t, `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: a}, webhooks: [{name: a, clientConfig: `+service+`}]}`),
		applytest.Object(t, `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: b}, webhooks: [{name: b, clientConfig: `+service+`}, {name: c, clientConfig: {service: {name: s, namespace: n}}}]}`),
		applytest.Object(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: c}, spec: {conversion: {strategy: Webhook, webhook: {clientConfig: `+service+`}}}}`),
		applytest.Object(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: d}, spec: {}}`),
		applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: e}, webhooks: [{clientConfig: {}}]}`),
	}
	if err := callByURL(objects, webhookAddress); err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	for _, obj := range objects {
		got = append(got, project.ClientConfigs(obj)...)
	}
	want := []map[string]any{
		{"url": "https://localhost:23456/p", "caBundle": "eA=="}, {"url": "https://localhost:23456/p", "caBundle": "eA=="},
		{"url": "https://localhost:23456"}, {"url": "https://localhost:23456/p", "caBundle": "eA=="},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	elsewhere := applytest.Object(t, `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: a}, webhooks: [{name: a, clientConfig: {url: "https://example.com"}}]}`)
	applytest.CheckError(t, callByURL([]*unstructured.Unstructured{elsewhere}, webhookAddress), "MutatingWebhookConfiguration a: a webhook has no Service")
}

// TestCertifyLocalhost changes only serving certificates, and not the certificate of a CA.
func TestCertifyLocalhost(t *testing.T) {
	t.Parallel()
	objects := []*unstructured.Unstructured{
		applytest.Object(t, `{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a}, spec: {dnsNames: [a.svc], duration: 1h, secretName: s}}`),
		applytest.Object(t, `{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: ca}, spec: {isCA: true, commonName: ca, secretName: t}}`),
	}
	if err := certifyLocalhost(objects); err != nil {
		t.Fatal(err)
	}
	want := []any{
		map[string]any{"dnsNames": []any{"localhost"}, "duration": "8760h", "secretName": "s"},
		map[string]any{"isCA": true, "commonName": "ca", "secretName": "t"},
	}
	if diff := cmp.Diff(want, []any{objects[0].Object["spec"], objects[1].Object["spec"]}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
