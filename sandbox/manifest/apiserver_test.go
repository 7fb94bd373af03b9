package manifest

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
)

// traceparentAnnotation is the annotation that the reference operator's webhook adds.
const traceparentAnnotation = "tracing.k8s.io/traceparent"

func startCluster(t *testing.T) *apply.Cluster {
	t.Helper()
	c, err := apply.NewCluster(applytest.Start(t), applytest.Manifests(t).Subject())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustApply(t *testing.T, c *apply.Cluster, component *Component) {
	t.Helper()
	if err := component.Apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// versions renders the resource versions of all objects.
func versions(t *testing.T, c *apply.Cluster, component *Component) string {
	t.Helper()
	var lines []string
	for _, obj := range component.Objects {
		l := applytest.Live(obj)
		if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(obj), l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, apply.Describe(obj)+" "+l.GetResourceVersion())
	}
	return strings.Join(lines, "\n")
}

// rollOut does the work of the Deployment controller.
func rollOut(t *testing.T, c *apply.Cluster, component *Component) {
	t.Helper()
	for _, obj := range component.Objects {
		if obj.GetKind() != "Deployment" {
			continue
		}
		d := &appsv1.Deployment{}
		if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(obj), d); err != nil {
			t.Fatal(err)
		}
		n := *d.Spec.Replicas // the API server's default is 1
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n,
			Conditions: []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue},
				{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
			},
		}
		if err := c.Client().Status().Update(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

// setReady does the work of a custom resource's controller.
func setReady(t *testing.T, c *apply.Cluster, obj *unstructured.Unstructured) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []any{map[string]any{
		"type": "Ready", "status": "True", "reason": "Test", "message": "", "lastTransitionTime": time.Now().UTC().Format(time.RFC3339)}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Client().Status().Patch(t.Context(), applytest.Live(obj), client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatalf("%s: %v", apply.Describe(obj), err)
	}
}

// pointWebhook serves a webhook like the operator's and changes the configuration to its address.
func pointWebhook(t *testing.T, c *apply.Cluster, configuration *unstructured.Unstructured) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var review admissionv1.AdmissionReview
		if err := json.Unmarshal(body, &review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		patchType := admissionv1.PatchTypeJSONPatch
		review.Response = &admissionv1.AdmissionResponse{
			UID: review.Request.UID, Allowed: true, PatchType: &patchType,
			Patch: []byte(`[{"op": "add", "path": "/metadata/annotations", "value": {"` + traceparentAnnotation + `": "00-1-1-00"}}]`),
		}
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	patch := fmt.Sprintf(`[{"op": "replace", "path": "/webhooks/0/clientConfig", "value": {"url": %q, "caBundle": %s}}]`,
		server.URL, mustJSON(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	if err := c.Client().Patch(t.Context(), applytest.Live(configuration), client.RawPatch("application/json-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func only(t *testing.T, component *Component, kind string) *unstructured.Unstructured {
	t.Helper()
	for _, obj := range component.Objects {
		if obj.GetKind() == kind {
			return obj
		}
	}
	t.Fatalf("%s has no %s", component.Name, kind)
	return nil
}

func deleteWebhooks(t *testing.T, c *apply.Cluster, rendered *Component) {
	t.Helper()
	for _, obj := range rendered.Objects {
		if obj.GroupVersionKind().Group == "admissionregistration.k8s.io" {
			if err := apply.Delete(t.Context(), c, []*unstructured.Unstructured{obj}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
