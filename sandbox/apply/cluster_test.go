package apply

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
)

// TestCluster uses one API server. The subtests are parallel and have objects of their own.
func TestCluster(t *testing.T) {
	t.Parallel()
	c, err := NewCluster(applytest.Start(t), applytest.Manifests(t).Subject())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Repaired", func(t *testing.T) { testApplyRepairs(t, c) })
	t.Run("Dependents", func(t *testing.T) { testDeleteWithDependents(t, c) })
	t.Run("WebhookDown", func(t *testing.T) { testApplyRetriesWebhook(t, c) })
	t.Run("Foreign", func(t *testing.T) { testDeleteKeepsForeign(t, c) })
	t.Run("Shared", func(t *testing.T) { testShared(t, c) })
	t.Run("OnApply", func(t *testing.T) { testOnApply(t, c) })
}

// labelled marks objects as the sandbox's.
func labelled(objects ...*unstructured.Unstructured) []*unstructured.Unstructured {
	Label(objects, "test", "")
	return objects
}

func mustApply(t *testing.T, c *Cluster, objects []*unstructured.Unstructured) {
	t.Helper()
	if err := Apply(t.Context(), c, objects); err != nil {
		t.Fatal(err)
	}
}

// testOnApply checks that the hook sees each write with its result, and no object without a write.
func testOnApply(t *testing.T, direct *Cluster) {
	t.Parallel()
	c, err := NewCluster(direct.config, direct.subject)
	if err != nil {
		t.Fatal(err)
	}
	var begun []string
	var results []error
	c.OnApply(func(ctx context.Context, obj *unstructured.Unstructured) (context.Context, func(error)) {
		begun = append(begun, Describe(obj))
		return ctx, func(err error) { results = append(results, err) }
	})
	good := labelled(configMap(t, "hooked"))
	mustApply(t, c, good)
	mustApply(t, c, good)
	bad := applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: hooked, namespace: nowhere}}`)
	if err := Apply(t.Context(), c, labelled(bad)); err == nil {
		t.Error("Apply(object in a missing namespace) = nil, want an error")
	}
	if len(begun) != 2 || begun[0] != "ConfigMap default/hooked" || begun[1] != "ConfigMap nowhere/hooked" {
		t.Errorf("OnApply was called for %q, want one call for each write", begun)
	}
	if len(results) != 2 || results[0] != nil || results[1] == nil {
		t.Errorf("results = %v, want nil and an error", results)
	}
}

// testApplyRetriesWebhook checks that an unreachable webhook delays Apply, but causes no error.
func testApplyRetriesWebhook(t *testing.T, c *Cluster) {
	t.Parallel()
	webhook := applytest.Object(t, `
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
	delayed := applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: delayed, namespace: default}}`)
	if err := Apply(t.Context(), c, []*unstructured.Unstructured{webhook}); err != nil {
		t.Fatal(err)
	}
	// The API server calls a new webhook only after a moment.
	applytest.Eventually(t, func(ctx context.Context) error {
		if err := c.Client().Create(ctx, delayed.DeepCopy(), client.DryRunAll); err == nil {
			return errors.New("not called yet")
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	applytest.CheckError(t, Apply(ctx, c, []*unstructured.Unstructured{delayed}), `applying ConfigMap default/delayed: context deadline exceeded: last: `)

	applied := make(chan error, 1)
	go func() { applied <- Apply(t.Context(), c, []*unstructured.Unstructured{delayed}) }()
	if err := Delete(t.Context(), c, []*unstructured.Unstructured{webhook}); err != nil {
		t.Fatal(err)
	}
	if err := <-applied; err != nil {
		t.Error(err)
	}
	missing := applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: nowhere}}`)
	applytest.CheckError(t, Apply(t.Context(), c, []*unstructured.Unstructured{missing}), `applying ConfigMap nowhere/x: namespaces "nowhere" not found`)
}

func testDeleteKeepsForeign(t *testing.T, c *Cluster) {
	t.Parallel()
	foreign := applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: foreign, namespace: default}}`)
	if err := c.Client().Create(t.Context(), foreign.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if err := Delete(t.Context(), c, []*unstructured.Unstructured{foreign}); err != nil {
		t.Fatal(err)
	}
	if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(foreign), applytest.Live(foreign)); err != nil {
		t.Errorf("Delete deleted an object of another user: %v", err)
	}
}
