package embedded

import (
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// newCluster returns a cluster that has ports and certificates of its own.
func newCluster(t *testing.T) *Cluster {
	t.Helper()
	s := newSession(t, session.Options{Images: "source", Cluster: component.Embedded}, state.Record{})
	c, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Prepare(t.Context(), func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	c.paths = map[string]map[string]string{component.ControlPlane: {
		component.Etcd: "/cache/kubernetes-1/etcd", component.APIServer: "/cache/kubernetes-1/kube-apiserver",
	}}
	return c
}

func keyOf(t *testing.T, c *Cluster) string {
	t.Helper()
	store, err := c.snapshotStore()
	if err != nil {
		t.Fatal(err)
	}
	return store.Key
}

// Two sandboxes with equal inputs have one snapshot, although their folders, ports and authorities
// differ. Each other input has its own.
func TestSnapshotKey(t *testing.T) {
	same := keyOf(t, newCluster(t))
	if again := keyOf(t, newCluster(t)); again != same {
		t.Errorf("the key of an equal sandbox is %s, want %s", again, same)
	}
	for name, change := range map[string]func(*Cluster){
		"etcd": func(c *Cluster) { c.paths[component.ControlPlane][component.Etcd] = "/cache/kubernetes-2/etcd" },
		"API server": func(c *Cluster) {
			c.paths[component.ControlPlane][component.APIServer] = "/cache/kubernetes-2/kube-apiserver"
		},
		"tracing":    func(c *Cluster) { c.Cluster.Tracing = true },
		"a manifest": func(c *Cluster) { c.session.Manifests.Objects[0].SetAnnotations(map[string]string{"a": "b"}) },
		"fewer manifests": func(c *Cluster) {
			c.session.Manifests.Objects = c.session.Manifests.Objects[1:]
		},
	} {
		c := newCluster(t)
		change(c)
		if key := keyOf(t, c); key == same || strings.TrimLeft(key, "0123456789abcdef") != "" {
			t.Errorf("%s: the key is %s, want another one", name, key)
		}
	}
	c := newCluster(t)
	remove := component.Add(component.Component{Name: "extra", Version: "v1"})
	defer remove()
	if key := keyOf(t, c); key == same {
		t.Error("another component: the key is the same")
	}
}
