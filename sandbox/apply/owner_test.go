package apply

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
)

// testShared uses one API server as two sandboxes and as another user.
func testShared(t *testing.T, own *Cluster) {
	t.Parallel()
	shared := func(name string) *Cluster {
		c, err := NewCluster(own.config, own.subject)
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
		second    = `{apiVersion: v1, kind: ConfigMap, metadata: {name: second, namespace: team}, data: {of: another}}`
	)
	if err := own.client.Create(t.Context(), applytest.Object(t, second)); err == nil {
		t.Fatal("the namespace exists already")
	}
	objects := labelled(applytest.Object(t, namespace), applytest.Object(t, first))
	mustApply(t, a, objects)

	var foreign *ForeignError
	if err := Apply(t.Context(), b, objects); !errors.As(err, &foreign) || foreign.Sandbox != "a" || !strings.Contains(err.Error(), "--name=a") {
		t.Errorf("Apply of another sandbox = %v, want a ForeignError", err)
	}
	if err := own.client.Create(t.Context(), applytest.Object(t, second)); err != nil {
		t.Fatal(err)
	}
	theirs := labelled(applytest.Object(t, namespace), applytest.Object(t, second))
	if _, err := Look(t.Context(), a, theirs); !errors.As(err, &foreign) || foreign.Made || foreign.Object != "ConfigMap team/second" {
		t.Errorf("Look(object of another user) = %v, want a ForeignError", err)
	}
	if err := Delete(t.Context(), b, theirs); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"first", "second"} {
		live := applytest.Live(applytest.Object(t, strings.Replace(first, "first", name, 1)))
		if err := own.client.Get(t.Context(), client.ObjectKeyFromObject(live), live); err != nil {
			t.Errorf("after Delete of another sandbox: %v", err)
		}
	}
	wantInventory(t, b)
	wantInventory(t, a, "ConfigMap team/first", "Namespace team")

	removed, err := Remove(t.Context(), a, inventory(t, a), func(string, ...any) {})
	if err != nil || len(removed.Stayed) != 1 || !strings.Contains(removed.Stayed[0], "namespace team, which holds ConfigMap team/second") {
		t.Errorf("Remove() = %+v, %v, want the namespace to stay", removed, err)
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
		got = append(got, Describe(obj))
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("Inventory(%s) = %q, want %q", c.sandbox, got, want)
	}
}

func TestOwns(t *testing.T) {
	t.Parallel()
	const text = `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: team}}`
	appliedBy := func(sandbox string) *unstructured.Unstructured {
		obj, err := (&Cluster{sandbox: sandbox}).marked(labelled(applytest.Object(t, text))[0])
		if err != nil {
			t.Fatal(err)
		}
		return obj
	}
	for _, test := range []struct {
		name    string
		object  *unstructured.Unstructured
		sandbox string
		want    bool
	}{
		{"its own on its own cluster", appliedBy(""), "", true},
		{"its own", appliedBy("a"), "a", true},
		{"of another sandbox", appliedBy("b"), "a", false},
		{"of the sandbox that created the cluster", appliedBy(""), "a", false},
		{"of another user", applytest.Object(t, text), "a", false},
		{"of another user on its own cluster", applytest.Object(t, text), "", false},
	} {
		if got := (&Cluster{sandbox: test.sandbox}).Owns(test.object); got != test.want {
			t.Errorf("%s: Owns() = %v, want %v", test.name, got, test.want)
		}
	}
}
