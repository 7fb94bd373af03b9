package install

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/project"
)

// TestEveryWebhookIsCalledByURL: mutating, validating, and the conversion of a kind; with what cainjector wrote there.
func TestEveryWebhookIsCalledByURL(t *testing.T) {
	const service = `{service: {name: s, namespace: n, path: /p}, caBundle: eA==}`
	objects := []*unstructured.Unstructured{
		object(t, `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: a}, webhooks: [{name: a, clientConfig: `+service+`}]}`),
		object(t, `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: b}, webhooks: [{name: b, clientConfig: `+service+`}, {name: c, clientConfig: {service: {name: s, namespace: n}}}]}`),
		object(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: c}, spec: {conversion: {strategy: Webhook, webhook: {clientConfig: `+service+`}}}}`),
		object(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: d}, spec: {}}`),
		object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: e}, webhooks: [{clientConfig: {}}]}`),
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
	elsewhere := object(t, `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: a}, webhooks: [{name: a, clientConfig: {url: "https://example.com"}}]}`)
	checkError(t, callByURL([]*unstructured.Unstructured{elsewhere}, webhookAddress), "MutatingWebhookConfiguration a: a webhook that isn't called by a Service")
}

// TestCertificatesAreForLocalhost leaves alone what is no server's: a CA that others are issued by.
func TestCertificatesAreForLocalhost(t *testing.T) {
	objects := []*unstructured.Unstructured{
		object(t, `{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a}, spec: {dnsNames: [a.svc], duration: 1h, secretName: s}}`),
		object(t, `{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: ca}, spec: {isCA: true, commonName: ca, secretName: t}}`),
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
