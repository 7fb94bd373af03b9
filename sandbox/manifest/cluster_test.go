package manifest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/applytrace"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// TestCluster uses one API server, which has no controllers and no kubelet: the test does their
// work. The subtests depend on each other; the last one deletes objects of the first.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	t.Run("CertManager", func(t *testing.T) { testCertManagerApplies(t, c) })
	t.Run("Jaeger", func(t *testing.T) { testJaegerRollsOut(t, c) })
	t.Run("Operator", func(t *testing.T) { testOperatorOrderAndReadiness(t, c) })
	t.Run("Sample", func(t *testing.T) { testSample(t, c) })
	t.Run("SampleNeedsOthers", func(t *testing.T) { testSampleNeedsOthers(t, c) })
	t.Run("Delete", func(t *testing.T) { testDeleteRemovesAll(t, c) })
}

// testCertManagerApplies checks that the API server accepts every object, and that a second Apply
// writes nothing.
func testCertManagerApplies(t *testing.T, c *apply.Cluster) {
	if status, err := workload.StatusOf(t.Context(), c, component.CertManager); err != nil || status.Installed || status.Ready {
		t.Fatalf("StatusOf() before Apply = %+v, %v", status, err)
	}
	rendered := certManager(t, TableOptions{Images: sourceImages})
	start := time.Now()
	mustApply(t, c, rendered)
	before := versions(t, c, rendered)
	first := time.Since(start)
	mustApply(t, c, rendered)
	t.Logf("applied %d objects in %v, again in %v", len(rendered.Objects), first, time.Since(start)-first)
	if after := versions(t, c, rendered); before != after {
		t.Errorf("a second Apply wrote:\n%s\nbecame\n%s", before, after)
	}

	status, err := workload.StatusOf(t.Context(), c, component.CertManager)
	if err != nil || !status.Installed || status.Ready || status.Version != component.Named(component.CertManager).Version || len(status.Images) != 3 {
		t.Errorf("StatusOf() = %+v, %v, want version and three images, not ready", status, err)
	}
	// The Deployments have the status of running ones. Only the check of the API finds that no webhook
	// answers. Without the configurations there is no timeout of 30 s at each call.
	rollOut(t, c, rendered)
	deleteWebhooks(t, c, rendered)
	ctx, cancel := context.WithTimeout(t.Context(), creationDelay+3*time.Second)
	defer cancel()
	applytest.CheckError(t, rendered.Wait(ctx, c, nil), "waiting for cert-manager: context deadline exceeded: last: checking cert-manager's API: the cert-manager mutation webhook did not mutate")
}

func testJaegerRollsOut(t *testing.T, c *apply.Cluster) {
	rendered, err := Jaeger(JaegerOptions{Image: Image{Ref: "sandbox.test/jaeger:v2.13.0"}})
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, c, rendered)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "jaeger", Name: "jaeger-0", Labels: map[string]string{"app.kubernetes.io/name": "jaeger"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "jaeger", Image: "x"}}},
	}
	if err := c.Client().Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "jaeger", State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImageNeverPull", Message: "not on the node"}}}}}
	if err := c.Client().Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err = rendered.Wait(ctx, c, nil)
	for _, want := range []string{"waiting for Deployment jaeger/jaeger", "InProgress", "pod jaeger/jaeger-0: container jaeger: ErrImageNeverPull: not on the node"} {
		applytest.CheckError(t, err, want)
	}

	rollOut(t, c, rendered)
	if err := rendered.Wait(t.Context(), c, nil); err != nil {
		t.Error(err)
	}
	status, err := workload.StatusOf(t.Context(), c, component.Jaeger)
	if err != nil || !status.Ready || status.Version != "v2.13.0" || len(status.Images) != 1 {
		t.Errorf("StatusOf() = %+v, %v, want ready", status, err)
	}
	for _, replicas := range []int{0, 1} {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "jaeger", Name: "jaeger"}}
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, replicas))
		if err := c.Client().Patch(t.Context(), d, patch); err != nil {
			t.Fatal(err)
		}
		rollOut(t, c, rendered)
		status, err := workload.StatusOf(t.Context(), c, component.Jaeger)
		if err != nil || status.Ready != (replicas > 0) || strings.Contains(status.Message, "Deployment jaeger/jaeger: it is scaled to no replicas") != (replicas == 0) {
			t.Errorf("StatusOf() with %d replicas = %+v, %v", replicas, status, err)
		}
	}
}

// testOperatorOrderAndReadiness does the work of cert-manager and the webhook. Apply must not
// create the Deployment before the certificate is ready. A webhook that adds no annotation is not
// ready.
func testOperatorOrderAndReadiness(t *testing.T, c *apply.Cluster) {
	rendered, err := Operator(OperatorOptions{Manifests: applytest.Manifests(t), Image: Image{Ref: operatorImage}})
	if err != nil {
		t.Fatal(err)
	}
	applied := make(chan error, 1)
	go func() { applied <- rendered.Apply(t.Context(), c) }()
	deployment := only(t, rendered, "Deployment")
	for _, kind := range []string{"Issuer", "Certificate"} {
		obj := only(t, rendered, kind)
		applytest.Eventually(t, func(ctx context.Context) error {
			return c.Client().Get(ctx, client.ObjectKeyFromObject(obj), applytest.Live(obj))
		})
		if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(deployment), applytest.Live(deployment)); err == nil {
			t.Errorf("Apply created the Deployment before the %s is ready", kind)
		}
		setReady(t, c, obj)
	}
	if err := <-applied; err != nil {
		t.Fatal(err)
	}
	rollOut(t, c, rendered)

	// The webhook's Service has no address, so the API server first waits for its timeout of 2 s.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	applytest.CheckError(t, rendered.Wait(ctx, c, nil), "the operator's webhook added no annotation")
	pointWebhook(t, c, only(t, rendered, "MutatingWebhookConfiguration"))
	if err := rendered.Wait(t.Context(), c, nil); err != nil {
		t.Error(err)
	}
	if status, err := workload.StatusOf(t.Context(), c, component.Operator); err != nil || !status.Ready || status.Version != operatorImage {
		t.Errorf("StatusOf() = %+v, %v, want ready", status, err)
	}
	checkVersion(t, c, component.Operator, operatorImage)
	checkVersion(t, c, component.Jaeger, "v2.13.0")
}

func testSample(t *testing.T, c *apply.Cluster) {
	rendered := Sample(c.Subject())
	mustApply(t, c, rendered)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var reports []string
	report := func(format string, args ...any) { reports = append(reports, fmt.Sprintf(format, args...)) }
	applytest.CheckError(t, rendered.Wait(ctx, c, report), "Head default/head-sample: no condition Ready yet")
	if len(reports) != 1 || !strings.Contains(reports[0], "Head default/head-sample: no condition Ready yet") {
		t.Errorf("Wait reports %q, want the condition once", reports)
	}
	setReady(t, c, rendered.Objects[0])
	if err := rendered.Wait(t.Context(), c, nil); err != nil {
		t.Error(err)
	}
}

// testSampleNeedsOthers has a webhook that denies a Head until the other one exists.
func testSampleNeedsOthers(t *testing.T, c *apply.Cluster) {
	subject := c.Subject()
	for _, name := range []string{"needs-other", "other"} {
		head := subject.Samples[0].DeepCopy()
		head.SetName(name)
		subject.Samples = append(subject.Samples, head)
	}
	subject.Samples = subject.Samples[1:]
	strict, err := apply.NewCluster(c.Config(), subject)
	if err != nil {
		t.Fatal(err)
	}
	exists := false
	strict.OnApply(func(ctx context.Context, _, obj *unstructured.Unstructured, send applytrace.Send) error {
		if obj.GetName() == "needs-other" && !exists {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "heads"}, obj.GetName(), errors.New("other does not exist"))
		}
		err := send(ctx, obj)
		exists = err == nil
		return err
	})
	if err := Sample(subject).Apply(t.Context(), strict); err != nil {
		t.Errorf("Apply() = %v, want the other object first", err)
	}
}

// testDeleteRemovesAll ignores Namespaces: no controller finalizes them here.
func testDeleteRemovesAll(t *testing.T, c *apply.Cluster) {
	var objects []*unstructured.Unstructured
	for _, obj := range certManager(t, TableOptions{}).Objects {
		if obj.GetKind() != "Namespace" {
			objects = append(objects, obj)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for range 2 {
		if err := apply.Delete(ctx, c, objects); err != nil {
			t.Fatal(err)
		}
	}
	if status, err := workload.StatusOf(t.Context(), c, component.CertManager); err != nil || status.Installed {
		t.Errorf("StatusOf() = %+v, %v, want not installed", status, err)
	}
}
