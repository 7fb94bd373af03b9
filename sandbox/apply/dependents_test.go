package apply

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
)

// testDeleteWithDependents simulates a controller that creates a dependent again as long as its
// owner exists. The API server has no garbage collector.
func testDeleteWithDependents(t *testing.T, c *Cluster) {
	t.Parallel()
	objects := labelled(configMap(t, "root"))
	mustApply(t, c, objects)
	root := uidOf(t, c, "root")
	stranger := create(t, c, "stranger")
	child := create(t, c, "child", root)
	create(t, c, "grandchild", child)
	create(t, c, "shared-child", root, stranger)
	create(t, c, "strangers-child", stranger)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	made := make(chan error, 1)
	go func() { made <- recreate(ctx, c, "grandchild", "child") }()
	if err := DeleteWithDependents(ctx, c, objects); err != nil {
		t.Error(err)
	}
	if err := <-made; err != nil {
		t.Error(err)
	}
	for name, want := range map[string]bool{
		"root": false, "child": false, "grandchild": false, "stranger": true, "shared-child": true, "strangers-child": true,
	} {
		if there := uidOf(t, c, name) != ""; there != want {
			t.Errorf("ConfigMap %s exists = %v, want %v", name, there, want)
		}
	}
	if err := DeleteWithDependents(ctx, c, objects); err != nil {
		t.Errorf("DeleteWithDependents(absent objects) = %v", err)
	}

	// The controller of a finalizer is not running.
	mustApply(t, c, objects)
	held := configMap(t, "held")
	held.SetFinalizers([]string{"example.com/held"})
	own(held, uidOf(t, c, "root"))
	if err := c.client.Create(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	applytest.CheckError(t, DeleteWithDependents(short, c, objects), `waiting for the deletion of ConfigMap default/held: context deadline exceeded: last: still exists, finalizers ["example.com/held"]`)
}

// recreate creates an object whenever it is gone, until its owner is gone.
func recreate(ctx context.Context, c *Cluster, name, owner string) error {
	for {
		by := &unstructured.Unstructured{}
		by.SetAPIVersion("v1")
		by.SetKind("ConfigMap")
		switch err := c.client.Get(ctx, client.ObjectKey{Namespace: "default", Name: owner}, by); {
		case Gone(err):
			return nil
		case err != nil:
			return err
		}
		obj := by.DeepCopy()
		obj.Object = map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": "default", "name": name}}
		own(obj, by.GetUID())
		if err := c.client.Create(ctx, obj); err != nil && !strings.Contains(err.Error(), "already exists") {
			return err
		}
	}
}

func configMap(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	return applytest.Object(t, fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: default}}", name))
}

func own(obj *unstructured.Unstructured, owners ...types.UID) {
	var references []metav1.OwnerReference
	for _, uid := range owners {
		references = append(references, metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "some", UID: uid})
	}
	obj.SetOwnerReferences(references)
}

func create(t *testing.T, c *Cluster, name string, owners ...types.UID) types.UID {
	t.Helper()
	obj := configMap(t, name)
	own(obj, owners...)
	if err := c.client.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	return obj.GetUID()
}

// uidOf returns the UID of a ConfigMap; "" if it does not exist.
func uidOf(t *testing.T, c *Cluster, name string) types.UID {
	t.Helper()
	obj := applytest.Live(configMap(t, name))
	if err := c.client.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil && !Gone(err) {
		t.Fatal(err)
	}
	return obj.GetUID()
}
