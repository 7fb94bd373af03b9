package controller

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"example.com/cache-operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// newServer stands for a cluster that has these objects.
func newServer(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(objects...).Build()
}

func TestTraceOfNewCache(t *testing.T) {
	cache := &v1alpha1.Cache{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart", UID: "1", Generation: 1}}
	server := newServer(t, cache)

	recorder := tracingtest.NewTracerProvider()
	traced := tracing.WithTracerProvider(recorder)
	r := tracing.WrapReconciler(cache, &CacheReconciler{
		Client: tracing.WrapClient(server, traced),
		Scheme: server.Scheme(),
	}, traced)
	for range 2 { // the second changes nothing, and leaves no span
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(cache)}); err != nil {
			t.Fatal(err)
		}
	}

	want, err := spantree.Parse("new Cache", `
reconcile Cache [CONSUMER operator.object.name=cart]
  create Deployment [PRODUCER]
  update_status Cache [CLIENT]
`)
	if err != nil {
		t.Fatal(err)
	}
	if result := spantree.Match(want, spantree.Build(recorder.Spantree("cache-operator"))); !result.OK() {
		t.Error(result.Explain())
	}
}
