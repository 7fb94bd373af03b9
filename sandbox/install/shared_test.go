package install

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestShared works on one API server as two sandboxes, and as somebody else.
func TestShared(t *testing.T) {
	own := startCluster(t)
	subject := referenceManifests(t).Subject()
	shared := func(name string) *Cluster {
		c, err := NewCluster(own.config, subject)
		if err != nil {
			t.Fatal(err)
		}
		c.Share(name)
		return c
	}
	a, b := shared("a"), shared("b")
	const (
		namespace = `{apiVersion: v1, kind: Namespace, metadata: {name: team}}`
		first     = `{apiVersion: v1, kind: ConfigMap, metadata: {name: first, namespace: team}, data: {of: a}}`
		second    = `{apiVersion: v1, kind: ConfigMap, metadata: {name: second, namespace: team}, data: {of: nobody}}`
	)
	if err := own.client.Create(t.Context(), object(t, second)); err == nil {
		t.Fatal("there is no namespace yet")
	}
	component := newComponent("test", "", []*unstructured.Unstructured{object(t, namespace), object(t, first)})
	apply(t, a, component)

	var foreign *ForeignError
	if err := component.Apply(t.Context(), b); !errors.As(err, &foreign) || foreign.Sandbox != "a" || !strings.Contains(err.Error(), "--name=a") {
		t.Errorf("another sandbox applies the same: %v", err)
	}
	if err := own.client.Create(t.Context(), object(t, second)); err != nil {
		t.Fatal(err)
	}
	theirs := newComponent("test", "", []*unstructured.Unstructured{object(t, namespace), object(t, second)})
	if _, err := theirs.Look(t.Context(), a); !errors.As(err, &foreign) || foreign.Made || foreign.Object != "ConfigMap team/second" {
		t.Errorf("looking at somebody else's object: %v", err)
	}
	if err := theirs.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"first", "second"} {
		live := live(object(t, strings.Replace(first, "first", name, 1)))
		if err := own.client.Get(t.Context(), client.ObjectKeyFromObject(live), live); err != nil {
			t.Errorf("after the other's deletion: %v", err)
		}
	}
	wantInventory(t, b)
	wantInventory(t, a, "ConfigMap team/first", "Namespace team")

	removed, err := Remove(t.Context(), a, inventory(t, a), func(string, ...any) {})
	if err != nil || len(removed.Stayed) != 1 || !strings.Contains(removed.Stayed[0], "namespace team, which holds ConfigMap team/second") {
		t.Errorf("removed %+v, %v", removed, err)
	}
	wantInventory(t, a, "Namespace team")
}

func inventory(t *testing.T, c *Cluster) []*unstructured.Unstructured {
	t.Helper()
	found, err := Inventory(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func wantInventory(t *testing.T, c *Cluster, want ...string) {
	t.Helper()
	var got []string
	for _, obj := range inventory(t, c) {
		got = append(got, describe(obj))
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("the sandbox %s has %q, want %q", c.sandbox, got, want)
	}
}

func TestOwns(t *testing.T) {
	const text = `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: team}}`
	asOf := func(sandbox string) *unstructured.Unstructured { // that it applied
		component := newComponent("test", "", []*unstructured.Unstructured{object(t, text)})
		return (&Cluster{sandbox: sandbox}).signed(component.Objects[0])
	}
	for _, test := range []struct {
		name    string
		object  *unstructured.Unstructured
		sandbox string
		want    bool
	}{
		{"its own on its own cluster", asOf(""), "", true},
		{"its own", asOf("a"), "a", true},
		{"another sandbox's", asOf("b"), "a", false},
		{"of the sandbox that made the cluster", asOf(""), "a", false},
		{"somebody else's", object(t, text), "a", false},
		{"somebody else's on its own cluster", object(t, text), "", false},
	} {
		if got := (&Cluster{sandbox: test.sandbox}).owns(test.object); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
