package workload

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
)

// testLeases checks that FreeLeases deletes the leases of absent Pods, and of a terminating Pod
// when it is gone, but no other lease.
func testLeases(t *testing.T, c *apply.Cluster) {
	t.Parallel()
	const namespace = "default"
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "leased"}}
	for name, holder := range map[string]string{
		"gone": "leased-gone_1", "lives": "leased-lives_1", "leaving": "leased-leaving_1", "of-another": "other-gone_1", "no-pod": "leased-x",
	} {
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder}}
		if err := c.Client().Create(t.Context(), lease); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Client().Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "without-holder"}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"leased-lives", "leased-leaving"} {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Finalizers: []string{"sandbox.test/stays"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}},
		}
		if err := c.Client().Create(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
	}
	leaving := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "leased-leaving"}}
	if err := c.Client().Delete(t.Context(), leaving); err != nil {
		t.Fatal(err)
	}
	applytest.CheckError(t, freeLeases(t.Context(), c, deployment), "the terminating Pod leased-leaving still holds the lease leaving")
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	if err := c.Client().Patch(t.Context(), leaving, patch); err != nil {
		t.Fatal(err)
	}
	if err := FreeLeases(t.Context(), c, deployment); err != nil {
		t.Error(err)
	}
	list := &coordinationv1.LeaseList{}
	if err := c.Client().List(t.Context(), list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	left := sets.New[string]()
	for _, lease := range list.Items {
		left.Insert(lease.Name)
	}
	if want := "lives no-pod of-another without-holder"; strings.Join(sets.List(left), " ") != want {
		t.Errorf("remaining leases = %q, want %q", sets.List(left), want)
	}
}
