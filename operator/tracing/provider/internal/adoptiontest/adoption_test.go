package adoptiontest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// TestAdoption adopts the library, as the document says step by step, lets the operator serve one Cache, and wants the change's
// spans. Nothing is sent before the process ends: the batch processor waits an hour, so that what arrives is what ending it sent.
func TestAdoption(t *testing.T) {
	a := copyAdopter(t)
	a.run(t, "go", "build", "./...") // as it was
	admin, kubeconfig := startCluster(t, filepath.Join(testdata, "adopter/config/crd/bases"))

	for _, step := range []struct{ patch, tree string }{
		{"adopt.patch", "adopt.tree"},
		{"queue.patch", "queue.tree"},
	} {
		a.apply(t, step.patch)
		program := a.build(t)
		spans := startCollector(t)
		operator := start(t, program,
			"KUBECONFIG="+kubeconfig,
			"OTEL_EXPORTER_OTLP_ENDPOINT=http://"+spans.address,
			"OTEL_BSP_SCHEDULE_DELAY=3600000",
		)
		cache := serve(t, admin, operator)
		if early := spans.received(); len(early) > 0 {
			t.Fatalf("%d spans came before the operator ended: the test cannot tell what ending it sends", len(early))
		}
		operator.terminate(t)

		// What the operator saw of the Caches of earlier steps, when it started, changed nothing and left no span.
		matchTree(t, step.tree, read(t, filepath.Join(testdata, step.tree)), spans.received(), cache)
		for _, shown := range blocks(t, "tree") {
			matchTree(t, "the document", shown, spans.received(), cache)
		}
		traceID := wantGenerationsTrace(t, spans.received(), cache)
		if log := operator.output.String(); !strings.Contains(log, `"trace_id":"`+traceID) {
			t.Errorf("no line of the operator's log names trace %s", traceID)
		}
	}
}

// serve creates a Cache and waits until it is Ready, and the operator has nothing more to do.
func serve(t *testing.T, admin client.Client, operator *process) *unstructured.Unstructured {
	t.Helper()
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
	// Who made it so may not know it yet.
	eventually(t, "the operator's last reconcile has ended", operator.idle)
	return cache
}

// playDeploymentController says that the Deployment's pods run. The API server of envtest has no controllers.
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

// matchTree compares the spans with a tree.
func matchTree(t *testing.T, name, text string, spans []spantree.Span, cache client.Object) {
	t.Helper()
	filled := strings.NewReplacer("$CACHE", cache.GetName(), "$NAMESPACE", cache.GetNamespace()).Replace(text)
	want, err := spantree.Parse(name, filled)
	if err != nil {
		t.Fatal(err)
	}
	if result := spantree.Match(want, spantree.Build(spans)); !result.OK() {
		t.Errorf("%s: %s", name, result.Explain())
	}
}

// wantGenerationsTrace: without a webhook nobody wrote a context onto the Cache, and the trace is that of its generation, which
// every process can work out.
func wantGenerationsTrace(t *testing.T, spans []spantree.Span, cache client.Object) (traceID string) {
	t.Helper()
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", cache.GetUID(), cache.GetGeneration()))
	want := hex.EncodeToString(sum[:16])
	for _, s := range spans {
		if s.TraceID != want {
			t.Errorf("%s is in trace %s, want all in %s", s.Name, s.TraceID, want)
		}
	}
	if key := "tracing.k8s.io/traceparent"; cache.GetAnnotations()[key] != "" {
		t.Errorf("the Cache has an annotation %s: nobody but a webhook writes it", key)
	}
	return want
}
