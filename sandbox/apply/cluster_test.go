package apply

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/applytrace"
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
	t.Run("Immutable", func(t *testing.T) { testApplyRecreates(t, c) })
	t.Run("Pruned", func(t *testing.T) { testPrune(t, c) })
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
	c.OnApply(func(ctx context.Context, _, obj *unstructured.Unstructured, send applytrace.Send) error {
		begun = append(begun, Describe(obj))
		err := send(ctx, obj)
		results = append(results, err)
		return err
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

// testApplyRecreates checks that a change of an immutable field recreates the sandbox's own object,
// and no object of another owner.
func testApplyRecreates(t *testing.T, c *Cluster) {
	t.Parallel()
	for name, test := range map[string]struct{ before, after string }{
		"roleRef": {
			`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: fixed, namespace: default}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: a}}`,
			`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: fixed, namespace: default}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: b}}`,
		},
		"selector": {
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: fixed, namespace: default}, spec: {selector: {matchLabels: {a: x}}, template: {metadata: {labels: {a: x}}, spec: {containers: [{name: c, image: i}]}}}}`,
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: fixed, namespace: default}, spec: {selector: {matchLabels: {a: z}}, template: {metadata: {labels: {a: z}}, spec: {containers: [{name: c, image: i}]}}}}`,
		},
		"service of a StatefulSet": {
			`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: fixed, namespace: default}, spec: {serviceName: a, selector: {matchLabels: {a: x}}, template: {metadata: {labels: {a: x}}, spec: {containers: [{name: c, image: i}]}}}}`,
			`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: fixed, namespace: default}, spec: {serviceName: b, selector: {matchLabels: {a: x}}, template: {metadata: {labels: {a: x}}, spec: {containers: [{name: c, image: i}]}}}}`,
		},
		"ConfigMap": {
			`{apiVersion: v1, kind: ConfigMap, metadata: {name: fixed, namespace: default}, immutable: true, data: {a: x}}`,
			`{apiVersion: v1, kind: ConfigMap, metadata: {name: fixed, namespace: default}, immutable: true, data: {a: z}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := labelled(applytest.Object(t, test.before))
			mustApply(t, c, before)
			old := readLive(t, c, before[0])
			mustApply(t, c, labelled(applytest.Object(t, test.after)))
			if now := readLive(t, c, before[0]); now.GetUID() == old.GetUID() {
				t.Error("the object was not created again")
			}
		})
	}
}

func readLive(t *testing.T, c *Cluster, obj *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	live, err := read(t.Context(), c, obj)
	if err != nil || live == nil {
		t.Fatalf("reading %s: %v, %v", Describe(obj), live, err)
	}
	return live
}

// testPrune checks that only objects are deleted that the sandbox applied for the component and that
// have no owner.
func testPrune(t *testing.T, c *Cluster) {
	t.Parallel()
	objects := []*unstructured.Unstructured{
		applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: kept, namespace: default}}`),
		applytest.Object(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: left, namespace: default}}`),
		applytest.Object(t, `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: left}}`),
		applytest.Object(t, `{apiVersion: v1, kind: Namespace, metadata: {name: left}}`),
	}
	Label(objects, "pruned", "")
	mustApply(t, c, objects)
	copied := readLive(t, c, objects[1])
	copied.Object["metadata"] = map[string]any{"name": "copied", "namespace": "default", "labels": map[string]any{ManagedByLabel: FieldManager, ComponentLabel: "pruned"}}
	if err := c.client.Create(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	for _, custom := range []bool{false, true} {
		names, err := Prune(t.Context(), c, "pruned", objects[:1], custom)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"MutatingWebhookConfiguration left", "Role default/left"}; !custom && !slices.Equal(names, want) || custom && len(names) > 0 {
			t.Errorf("Prune() with custom=%t = %q, want %q, then nothing", custom, names, want)
		}
	}
}

func TestIntrusive(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]bool{
		`failurePolicy: Fail, rules: [{apiGroups: [""], resources: [pods]}]`:                 true,
		`failurePolicy: Fail, rules: [{apiGroups: [cache.example.com]}, {apiGroups: ["*"]}]`: true,
		`rules: [{apiGroups: [apps]}]`:                                                true,
		`failurePolicy: Ignore, rules: [{apiGroups: [""]}]`:                           false,
		`failurePolicy: Fail, rules: [{apiGroups: [cache.example.com, demo.k8s.io]}]`: false,
		`failurePolicy: Fail`:                                                         false,
	} {
		for kind, counts := range map[string]bool{"ValidatingWebhookConfiguration": true, "MutatingWebhookConfiguration": true, "Other": false} {
			obj := applytest.Object(t, "{apiVersion: admissionregistration.k8s.io/v1, kind: "+kind+", metadata: {name: x}, webhooks: [{name: x, "+rule+"}]}")
			if got := intrusive(obj); got != (want && counts) {
				t.Errorf("intrusive(%s with %s) = %t", kind, rule, got)
			}
		}
	}
}

// A policy's webhook that is down does not keep its own server from starting again.
func TestFreeWebhooks(t *testing.T) {
	t.Parallel()
	c, err := NewCluster(applytest.Start(t), applytest.Manifests(t).Subject())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	hook := func(name, config string) *unstructured.Unstructured {
		return applytest.Object(t, "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: "+name+"}, webhooks: [{name: x.example.com, "+
			"clientConfig: "+config+`, failurePolicy: Fail, sideEffects: None, admissionReviewVersions: [v1], rules: [{apiGroups: ["absent.example.com", "apps"], apiVersions: [v1], operations: [DELETE], resources: [controllerrevisions]}]}]}`)
	}
	mustApply(t, c, labelled(hook("up", fmt.Sprintf("{url: \"https://%s/\"}", listener.Addr())), hook("down", `{url: "https://localhost:1/"}`),
		hook("no-server", "{service: {namespace: default, name: absent}}")))
	theirs := hook("theirs", `{url: "https://localhost:1/"}`)
	if err := c.client.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	if err := FreeWebhooks(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"up": true, "down": false, "no-server": false, "theirs": true} {
		live, err := read(t.Context(), c, hook(name, "{}"))
		if err != nil || (live != nil) != want {
			t.Errorf("after FreeWebhooks, %s = %v, %v; want it there: %t", name, live, err, want)
		}
	}
}
