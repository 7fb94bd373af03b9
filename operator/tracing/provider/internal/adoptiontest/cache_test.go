package adoptiontest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// serveCache creates a Cache and waits until it is Ready.
func serveCache(t *testing.T, c *cluster, operator *process) client.Object {
	t.Helper()
	admin := c.admin
	cache := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"image": "registry.invalid/cache:1", "replicas": int64(2)}}}
	cache.SetAPIVersion("cache.example.com/v1alpha1")
	cache.SetKind("Cache")
	cache.SetNamespace("default")
	cache.SetGenerateName("cache-")
	if err := admin.Create(t.Context(), cache); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the operator has seen to the new Cache", func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(cache), cache); err != nil {
			return err
		}
		if _, has, _ := unstructured.NestedSlice(cache.Object, "status", "conditions"); !has {
			return errors.New("the Cache has no conditions")
		}
		return operator.idle(ctx)
	})
	playDeploymentController(t, admin, operator, cache)
	eventually(t, "the Cache is Ready", func(ctx context.Context) error {
		if err := operator.running(); err != nil {
			return err
		}
		if err := admin.Get(ctx, client.ObjectKeyFromObject(cache), cache); err != nil {
			return err
		}
		return wantReady(cache)
	})
	return cache
}

// playDeploymentController sets the status of the Deployment, because the API server of envtest has
// no controllers.
func playDeploymentController(t *testing.T, admin client.Client, operator *process, cache client.Object) {
	t.Helper()
	eventually(t, "the Deployment's status is written", func(ctx context.Context) error {
		if err := operator.running(); err != nil {
			return err
		}
		d := &appsv1.Deployment{}
		if err := admin.Get(ctx, client.ObjectKeyFromObject(cache), d); err != nil {
			return err
		}
		n := *d.Spec.Replicas
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
		return admin.Status().Update(ctx, d)
	})
}

func wantReady(cache *unstructured.Unstructured) error {
	conditions, _, err := unstructured.NestedSlice(cache.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, item := range conditions {
		if c, ok := item.(map[string]any); ok && c["type"] == "Ready" && c["status"] == "True" {
			return nil
		}
	}
	return fmt.Errorf("its conditions are %v", conditions)
}

// wantGenerationsTrace checks that all spans are in the trace of the Cache's generation, which
// every process can derive. There is no webhook, so the Cache has no context.
func wantGenerationsTrace(t *testing.T, spans []spantree.Span, operator *process, cache client.Object) {
	t.Helper()
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", cache.GetUID(), cache.GetGeneration()))
	want := hex.EncodeToString(sum[:16])
	for _, s := range spans {
		if s.TraceID != want {
			t.Errorf("%s is in trace %s, want all in %s", s.Name, s.TraceID, want)
		}
	}
	if key := "tracing.k8s.io/traceparent"; cache.GetAnnotations()[key] != "" {
		t.Errorf("the Cache has an annotation %s without a webhook", key)
	}
	if log := operator.output.String(); !strings.Contains(log, `"trace_id":"`+want) {
		t.Errorf("no line of the operator's log names trace %s", want)
	}
}
