package reset

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/embedded/snapshot"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

func noReport(string, ...any) {}

// start starts an API server and its etcd, without controllers.
func start(t *testing.T) (*apply.Cluster, Store) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set; set it to the output of `make envtest-assets`, or run `make test-short`")
	}
	environment := &envtest.Environment{}
	cfg, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	c, err := apply.NewCluster(cfg, applytest.Manifests(t).Subject())
	if err != nil {
		t.Fatal(err)
	}
	etcd := snapshot.Etcd{Client: http.DefaultClient, URL: environment.ControlPlane.Etcd.URL.String()}
	return c, Store{Etcd: etcd, Path: filepath.Join(t.TempDir(), "reset.json")}
}

// create creates objects, and repeats requests that fail because their kind is new.
func create(t *testing.T, c *apply.Cluster, text string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := config.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := apply.Apply(t.Context(), c, objects); err != nil {
		t.Fatal(err)
	}
	return objects
}

func exists(t *testing.T, c *apply.Cluster, obj *unstructured.Unstructured) bool {
	t.Helper()
	err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(obj), applytest.Live(obj))
	if err != nil && !apply.Gone(err) {
		t.Fatal(err)
	}
	return err == nil
}

const sandboxs = `
apiVersion: v1
kind: ConfigMap
metadata: {name: installed, namespace: default, labels: {app.kubernetes.io/managed-by: operator-tracing-sandbox}}
data: {a: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: lost, namespace: default, labels: {app.kubernetes.io/managed-by: operator-tracing-sandbox}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: base, namespace: default}
`

const users = `
apiVersion: v1
kind: Namespace
metadata: {name: team}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: held, namespace: team, finalizers: [example.com/held]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: mine}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: team}
spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Cluster
  names: {plural: widgets, singular: widget, kind: Widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: w, finalizers: [example.com/gone]}
`

var usersNames = []string{
	"APIService v1.example.com", "ClusterRole mine", "ConfigMap team/held", "CustomResourceDefinition widgets.example.com", "IPAddress",
	"Namespace team", "Service team/web", "Widget w",
}

// withoutAddresses replaces the names of addresses, which the API server chooses.
func withoutAddresses(names []string) []string {
	names = slices.Clone(names)
	for i, name := range names {
		if strings.HasPrefix(name, "IPAddress ") {
			names[i] = "IPAddress"
		}
	}
	return names
}

func configMap(name string) *unstructured.Unstructured {
	return kinds.New(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "default", name)
}

func patch(t *testing.T, c *apply.Cluster, name, text string) {
	t.Helper()
	if err := c.Client().Patch(t.Context(), configMap(name), client.RawPatch(types.MergePatchType, []byte(text))); err != nil {
		t.Fatal(err)
	}
}

// The reset of an etcd deletes all objects of users, and restores the sandbox's. Watches that were open
// before see it, and the API server accepts the same objects again.
func TestStore(t *testing.T) {
	t.Parallel()
	c, s := start(t)
	if _, err := s.Reset(t.Context(), noReport); !errors.Is(err, ErrNoPoint) {
		t.Errorf("Reset() without a point = %v, want %v", err, ErrNoPoint)
	}
	create(t, c, sandboxs)
	if err := s.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(s.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the point is %v, %v; want mode 0600, since it has Secrets", info, err)
	}
	events, err := c.Clientset().CoreV1().ConfigMaps("").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	for range 2 {
		objects := create(t, c, users)
		patch(t, c, "base", `{"data": {"a": "changed"}}`)
		if err := s.Keep(t.Context()); err != nil { // A later up does not keep what a user created or changed.
			t.Fatal(err)
		}
		patch(t, c, "installed", `{"data": {"a": "changed"}, "metadata": {"labels": null}}`)
		for _, obj := range []*unstructured.Unstructured{configMap("lost"), objects[0]} { // The namespace stays, as no controller runs.
			if err := c.Client().Delete(t.Context(), obj); err != nil {
				t.Fatal(err)
			}
		}
		out, err := s.Reset(t.Context(), noReport)
		if err != nil {
			t.Fatal(err)
		}
		out.Deleted = withoutAddresses(out.Deleted)
		want := Outcome{Deleted: usersNames, Restored: []string{"ConfigMap default/base", "ConfigMap default/installed", "ConfigMap default/lost"}, Recreated: true}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Errorf("Reset() (-want +got):\n%s", diff)
		}
		for _, obj := range objects {
			if exists(t, c, obj) {
				t.Errorf("%s exists after the reset", apply.Describe(obj))
			}
		}
		live := configMap("installed")
		if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(live), live); err != nil || live.GetLabels()[apply.ManagedByLabel] == "" {
			t.Errorf("the sandbox's object is %v, %v; want its label restored", live, err)
		}
		wantEvents(t, events, "ADDED held", "MODIFIED base", "MODIFIED installed", "DELETED lost", "DELETED held", "ADDED lost", "MODIFIED base", "MODIFIED installed")
	}
	out, err := s.Reset(t.Context(), noReport)
	if diff := cmp.Diff(Outcome{Deleted: []string{}}, out, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("another Reset() = %v (-want +got):\n%s", err, diff)
	}
	if names, err := s.Added(t.Context()); err != nil || len(Names(names)) > 0 {
		t.Errorf("Added() = %v, %v after a reset, want none", names, err)
	}
}

// wantEvents reads as many events of ConfigMaps as are wanted, and compares them in any order.
// Resource versions must increase.
func wantEvents(t *testing.T, events watch.Interface, want ...string) {
	t.Helper()
	var got []string
	last := uint64(0)
	for len(got) < len(want) {
		select {
		case <-t.Context().Done():
			t.Fatalf("events %q, want %q", got, want)
		case event := <-events.ResultChan():
			obj, ok := event.Object.(*corev1.ConfigMap)
			if !ok {
				t.Fatalf("event %v after %q", event, got)
			}
			if obj.Name != "held" && obj.Namespace != "default" || last == 0 && event.Type == watch.Added && obj.Name != "held" {
				continue // It existed before the watch.
			}
			version, err := strconv.ParseUint(obj.ResourceVersion, 10, 64)
			if err != nil || version <= last {
				t.Errorf("event %s of %s has the version %s after %d", event.Type, obj.Name, obj.ResourceVersion, last)
			}
			last, got = version, append(got, string(event.Type)+" "+obj.Name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// A point of another cluster is not used, and is replaced.
func TestPointOfAnotherCluster(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "reset.json")
	cluster := func(uid string) []Object {
		system := object("Namespace", "", "kube-system")
		system.UID = types.UID(uid)
		return []Object{system, object("ConfigMap", "default", "of-"+uid)}
	}
	if _, err := LoadKeys(path, cluster("a")); !errors.Is(err, ErrNoPoint) {
		t.Errorf("LoadKeys() without a file = %v, want %v", err, ErrNoPoint)
	}
	for _, uid := range []string{"a", "b"} {
		if _, err := LoadKeys(path, cluster(uid)); !errors.Is(err, ErrNoPoint) {
			t.Errorf("LoadKeys(another cluster) = %v, want %v", err, ErrNoPoint)
		}
		if err := KeepKeys(path, cluster(uid)); err != nil {
			t.Fatal(err)
		}
		keys, err := LoadKeys(path, cluster(uid))
		if diff := cmp.Diff(keysOf(cluster(uid)), keys); diff != "" || err != nil {
			t.Errorf("LoadKeys() = %v (-want +got):\n%s", err, diff)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(path, cluster("b")); err == nil {
		t.Error("LoadKeys(damaged file) = nil, want an error")
	}
	if err := KeepKeys(path, cluster("b")); err != nil {
		t.Errorf("KeepKeys() over a damaged file = %v", err)
	}
}

// Through the API server, objects with finalizers are deleted too. A namespace stays, since no controller
// deletes its content.
func TestDelete(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	create(t, c, sandboxs)
	live, err := apply.Objects(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "reset.json")
	if err := KeepKeys(path, ObjectsOf(live)); err != nil {
		t.Fatal(err)
	}
	list := func(ctx context.Context) ([]Object, error) {
		live, err := apply.Objects(ctx, c)
		if err != nil {
			return nil, err
		}
		keys, err := LoadKeys(path, ObjectsOf(live))
		return Added(ObjectsOf(live), keys), err
	}
	objects := create(t, c, users)
	const patience = time.Second
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	defer cancel()
	out, err := Delete(ctx, c, list, patience, noReport)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Namespace team: it is being deleted"}; !slices.Equal(out.Stayed, want) {
		t.Errorf("Delete() left %q, want %q", out.Stayed, want)
	}
	out.Deleted = withoutAddresses(out.Deleted)
	if diff := cmp.Diff(usersNames, out.Deleted); diff != "" {
		t.Errorf("Delete() (-want +got):\n%s", diff)
	}
	for _, obj := range objects[1:] {
		if exists(t, c, obj) {
			t.Errorf("%s exists", apply.Describe(obj))
		}
	}
	if !exists(t, c, configMap("installed")) || !exists(t, c, configMap("base")) {
		t.Error("Delete() deleted objects of the sandbox")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Delete(cancelled, c, list, patience, noReport); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete() = %v after Ctrl-C, want %v", err, context.Canceled)
	}
}
