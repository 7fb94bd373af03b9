package adoptiontest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// serveStore creates a Store and waits until it is open.
func serveStore(t *testing.T, c *cluster, operator *process) client.Object {
	t.Helper()
	store := &unstructured.Unstructured{}
	eventually(t, "the webhooks answer and the Store is created", func(ctx context.Context) error {
		store.Object = map[string]any{"apiVersion": "shop.example.com/v1", "kind": "Store"}
		store.SetNamespace("default")
		store.SetGenerateName("store-")
		return c.admin.Create(ctx, store)
	})
	eventually(t, "the Store is open", func(ctx context.Context) error {
		if err := operator.idle(ctx); err != nil {
			return err
		}
		if err := c.admin.Get(ctx, client.ObjectKeyFromObject(store), store); err != nil {
			return err
		}
		if open, _, _ := unstructured.NestedBool(store.Object, "status", "open"); !open {
			return fmt.Errorf("its status is %v", store.Object["status"])
		}
		return nil
	})
	return store
}

// wantReport checks the log line that lists the traced parts.
func wantReport(t *testing.T, _ []spantree.Span, operator *process, _ client.Object) {
	t.Helper()
	log := operator.output.String()
	if strings.Count(log, "Tracing the manager") != 1 || strings.Contains(log, "notTraced") {
		t.Error("want exactly one log line about the manager, without untraced parts")
	}
	for _, part := range []string{"store (Store)", "shelf (Shelf)", "ticket (Ticket)", "/mutate-shop-example-com-v1-store"} {
		if !strings.Contains(log, part) {
			t.Errorf("%s is missing in the log", part)
		}
	}
}

// createDeployment creates a Deployment, for which envtest has no controller.
func createDeployment(t *testing.T, c *cluster, name string, labels, annotations map[string]string) *appsv1.Deployment {
	t.Helper()
	app := map[string]string{"app": name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: labels, Annotations: annotations},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: app}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: app},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.invalid/main:1"}}},
		}},
	}
	if err := c.admin.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return d
}

// serveServices creates a Deployment, deletes its Service, and creates its key.
func serveServices(t *testing.T, c *cluster, operator *process) client.Object {
	t.Helper()
	d := createDeployment(t, c, "wired", nil, map[string]string{"example.com/port": "80"})
	service := &corev1.Service{}
	served := func(what string, reached func() bool) {
		t.Helper()
		eventually(t, what, func(ctx context.Context) error {
			if err := operator.idle(ctx); err != nil {
				return err
			}
			if err := c.admin.Get(ctx, client.ObjectKey{Namespace: d.Namespace, Name: d.Name + "-svc"}, service); err != nil {
				return err
			}
			if !reached() {
				return fmt.Errorf("the Service has the UID %s and the labels %v", service.UID, service.Labels)
			}
			return nil
		})
	}
	served("the Service is applied", func() bool { return true })
	first := service.UID
	if err := c.admin.Delete(t.Context(), service.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	served("the Service is applied again", func() bool { return service.UID != first })
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name}}
	if err := c.admin.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	served("the Service names the key", func() bool { return service.Labels["key"] == secret.Name })
	return d
}

const (
	ownTrace = "0af7651916cd43dd8448eb211c80319c"
	ownSpan  = "b7ad6b7169203331"
)

// serveTraced creates a Deployment with the annotation of the operator's own tracing, and a
// Deployment without it.
func serveTraced(t *testing.T, c *cluster, operator *process) client.Object {
	t.Helper()
	labels := map[string]string{"example.com/traced": "true"}
	d := createDeployment(t, c, "own", labels, map[string]string{"example.com/traceparent": "00-" + ownTrace + "-" + ownSpan + "-01"})
	plain := createDeployment(t, c, "own-plain", labels, nil)
	for _, obj := range []client.Object{d, plain} {
		eventually(t, "the ConfigMap of "+obj.GetName()+" is created", func(ctx context.Context) error {
			if err := operator.idle(ctx); err != nil {
				return err
			}
			return c.admin.Get(ctx, client.ObjectKeyFromObject(obj), &corev1.ConfigMap{})
		})
	}
	return d
}

// wantOwnTrace checks that both kinds of spans are in the trace of the operator's own annotation.
func wantOwnTrace(t *testing.T, spans []spantree.Span, _ *process, d client.Object) {
	t.Helper()
	names := map[string]int{}
	for _, s := range spans {
		if s.TraceID == ownTrace {
			names[s.Name]++
		}
	}
	for _, name := range []string{"sync Deployment", "reconcile Deployment", "create ConfigMap"} {
		if names[name] == 0 {
			t.Errorf("no span %q in the trace of %s, which has %v", name, d.GetName(), names)
		}
	}
}
