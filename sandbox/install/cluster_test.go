package install

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// TestCluster runs against one real API server, which has no controllers and no kubelet: the test plays them. The parts
// use names of their own, but the last one removes what the others installed.
func TestCluster(t *testing.T) {
	c := startCluster(t)
	t.Run("CertManager", func(t *testing.T) { testCertManagerApplies(t, c) })
	t.Run("Jaeger", func(t *testing.T) { testJaegerRollsOut(t, c) })
	t.Run("Operator", func(t *testing.T) { testOperatorOrderAndReadiness(t, c) })
	t.Run("Sample", func(t *testing.T) { testSample(t, c) })
	t.Run("Logs", func(t *testing.T) { testPodsAndLogs(t, c) })
	t.Run("Mended", func(t *testing.T) { testApplyMendsWhatSomebodyChanged(t, c) })
	t.Run("Kinds", func(t *testing.T) { testKindCalled(t, c) })
	t.Run("Leases", func(t *testing.T) { testLeases(t, c) })
	t.Run("Dependents", func(t *testing.T) { testDeleteWithDependents(t, c) })
	t.Run("WebhookDown", func(t *testing.T) { testApplyRetriesWebhook(t, c) })
	t.Run("Foreign", func(t *testing.T) { testDeleteSparesForeign(t, c) })
	t.Run("Delete", func(t *testing.T) { testDeleteRemovesAll(t, c) })
}

// testCertManagerApplies lets a real API server judge every rendered object, then holds that a second run writes nothing.
func testCertManagerApplies(t *testing.T, c *Cluster) {
	if status, err := StatusOf(t.Context(), c, component.CertManager); err != nil || status.Installed || status.Ready {
		t.Fatalf("status before = %+v, %v", status, err)
	}
	rendered := certManager(t, sourceImages)
	start := time.Now()
	apply(t, c, rendered)
	before := versions(t, c, rendered)
	first := time.Since(start)
	apply(t, c, rendered)
	t.Logf("applied %d objects in %v, again in %v", len(rendered.Objects), first, time.Since(start)-first)
	if after := versions(t, c, rendered); before != after {
		t.Errorf("a second Apply wrote:\n%s\nbecame\n%s", before, after)
	}

	status, err := StatusOf(t.Context(), c, component.CertManager)
	if err != nil || !status.Installed || status.Ready || status.Version != CertManagerVersion || len(status.Images) != 3 {
		t.Errorf("status = %+v, %v; want version and three images, not ready", status, err)
	}
	// The Deployments pretend to run. Only the check of the API notices that no webhook answers; the configurations go
	// first, because no Pod behind the Service costs a timeout of half a minute at each call.
	rollOut(t, c, rendered)
	for _, obj := range rendered.Objects {
		if obj.GroupVersionKind().Group == "admissionregistration.k8s.io" {
			if _, err := deleteOne(t.Context(), c, obj); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), holdUp+3*time.Second)
	defer cancel()
	checkError(t, rendered.Wait(ctx, c), "waiting for cert-manager: context deadline exceeded: last: checking cert-manager's API: the cert-manager mutation webhook did not mutate")
}

func testJaegerRollsOut(t *testing.T, c *Cluster) {
	rendered, err := Jaeger(JaegerOptions{Image: Image{Ref: "sandbox.test/jaeger:v2.13.0"}, Version: "v2.13.0"})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, c, rendered)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "jaeger", Name: "jaeger-0", Labels: map[string]string{"app.kubernetes.io/name": "jaeger"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "jaeger", Image: "x"}}},
	}
	if err := c.Client().Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	pod.Status = containers(corev1.ContainerStatus{Name: "jaeger", State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImageNeverPull", Message: "not on the node"}}})
	if err := c.Client().Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err = rendered.Wait(ctx, c)
	for _, want := range []string{"waiting for Deployment jaeger/jaeger", "InProgress", "pod jaeger/jaeger-0: container jaeger: ErrImageNeverPull: not on the node"} {
		checkError(t, err, want)
	}

	rollOut(t, c, rendered)
	if err := rendered.Wait(t.Context(), c); err != nil {
		t.Error(err)
	}
	status, err := StatusOf(t.Context(), c, component.Jaeger)
	if err != nil || !status.Ready || status.Version != "v2.13.0" || len(status.Images) != 1 {
		t.Errorf("status = %+v, %v; want ready", status, err)
	}
	for _, replicas := range []int{0, 1} {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "jaeger", Name: "jaeger"}}
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, replicas))
		if err := c.Client().Patch(t.Context(), d, patch); err != nil {
			t.Fatal(err)
		}
		rollOut(t, c, rendered)
		status, err := StatusOf(t.Context(), c, component.Jaeger)
		if err != nil || status.Ready != (replicas > 0) || strings.Contains(status.Message, "Deployment jaeger/jaeger: it is scaled to no replicas") != (replicas == 0) {
			t.Errorf("status with %d replicas = %+v, %v", replicas, status, err)
		}
	}
}

// testOperatorOrderAndReadiness plays cert-manager and the webhook: the Deployment must not come before the certificate,
// and a webhook that doesn't mutate isn't ready.
func testOperatorOrderAndReadiness(t *testing.T, c *Cluster) {
	rendered, err := Operator(OperatorOptions{Manifests: referenceManifests(t), Image: Image{Ref: operatorImage}})
	if err != nil {
		t.Fatal(err)
	}
	applied := make(chan error, 1)
	go func() { applied <- rendered.Apply(t.Context(), c) }()
	deployment := only(t, rendered, "Deployment")
	for _, kind := range []string{"Issuer", "Certificate"} {
		obj := only(t, rendered, kind)
		eventually(t, func(ctx context.Context) error {
			return c.Client().Get(ctx, client.ObjectKeyFromObject(obj), live(obj))
		})
		if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(deployment), live(deployment)); err == nil {
			t.Errorf("the Deployment is there before the %s is ready", kind)
		}
		setReady(t, c, obj)
	}
	if err := <-applied; err != nil {
		t.Fatal(err)
	}
	rollOut(t, c, rendered)

	// The API server first gives up on the webhook's Service, which has no address: at most its timeout of 2 s.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	checkError(t, rendered.Wait(ctx, c), "the operator's webhook added no annotation")
	pointWebhook(t, c, only(t, rendered, "MutatingWebhookConfiguration"))
	if err := rendered.Wait(t.Context(), c); err != nil {
		t.Error(err)
	}
	if status, err := StatusOf(t.Context(), c, component.Operator); err != nil || !status.Ready || status.Version != operatorImage {
		t.Errorf("status = %+v, %v; want ready", status, err)
	}
	checkVersion(t, c, component.Operator, operatorImage)
	checkVersion(t, c, component.Jaeger, "v2.13.0")
}

func testSample(t *testing.T, c *Cluster) {
	rendered := Sample(c.subject)
	apply(t, c, rendered)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	checkError(t, rendered.Wait(ctx, c), "Head default/head-sample: no condition Ready yet")
	setReady(t, c, rendered.Objects[0])
	if err := rendered.Wait(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// testApplyRetriesWebhook holds that a webhook that can't be reached yet delays an apply but doesn't fail it.
func testApplyRetriesWebhook(t *testing.T, c *Cluster) {
	webhook := object(t, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: down, labels: {app.kubernetes.io/managed-by: operator-tracing-sandbox}}
webhooks:
- name: down.sandbox.test
  clientConfig: {url: "https://localhost:1/"}
  admissionReviewVersions: [v1]
  sideEffects: None
  timeoutSeconds: 1
  matchConditions: [{name: one, expression: "object.metadata.name == 'delayed'"}]
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
`)
	delayed := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: delayed, namespace: default}}`)
	if err := Apply(t.Context(), c, []*unstructured.Unstructured{webhook}); err != nil {
		t.Fatal(err)
	}
	// The API server takes a moment to call a new webhook.
	eventually(t, func(ctx context.Context) error {
		if err := c.Client().Create(ctx, delayed.DeepCopy(), client.DryRunAll); err == nil {
			return fmt.Errorf("not called yet")
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	checkError(t, Apply(ctx, c, []*unstructured.Unstructured{delayed}), `applying ConfigMap default/delayed: context deadline exceeded: last: `)

	applied := make(chan error, 1)
	go func() { applied <- Apply(t.Context(), c, []*unstructured.Unstructured{delayed}) }()
	if err := Delete(t.Context(), c, []*unstructured.Unstructured{webhook}); err != nil {
		t.Fatal(err)
	}
	if err := <-applied; err != nil {
		t.Error(err)
	}
	missing := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: nowhere}}`)
	checkError(t, Apply(t.Context(), c, []*unstructured.Unstructured{missing}), `applying ConfigMap nowhere/x: namespaces "nowhere" not found`)
}

func testDeleteSparesForeign(t *testing.T, c *Cluster) {
	foreign := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: foreign, namespace: default}}`)
	if err := c.Client().Create(t.Context(), foreign.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if err := Delete(t.Context(), c, []*unstructured.Unstructured{foreign}); err != nil {
		t.Fatal(err)
	}
	if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(foreign), live(foreign)); err != nil {
		t.Errorf("somebody else's object is gone: %v", err)
	}
}

// testDeleteRemovesAll leaves Namespaces out: nobody finalizes them here.
func testDeleteRemovesAll(t *testing.T, c *Cluster) {
	var objects []*unstructured.Unstructured
	for _, obj := range certManager(t, CertManagerOptions{}).Objects {
		if obj.GetKind() != "Namespace" {
			objects = append(objects, obj)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for range 2 {
		if err := Delete(ctx, c, objects); err != nil {
			t.Fatal(err)
		}
	}
	if status, err := StatusOf(t.Context(), c, component.CertManager); err != nil || status.Installed {
		t.Errorf("status = %+v, %v; want not installed", status, err)
	}
}
