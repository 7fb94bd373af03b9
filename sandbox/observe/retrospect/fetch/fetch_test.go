package fetch_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/observe/retrospect"
	"github.com/operator-tracing/sandbox/sandbox/observe/retrospect/fetch"
)

func cluster(t *testing.T, config *rest.Config) *apply.Cluster {
	t.Helper()
	c, err := apply.NewCluster(config, applytest.Manifests(t).Subject())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// create creates a ConfigMap or Secret with owners.
func create(t *testing.T, c *apply.Cluster, kind, name string, owners ...*unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	obj := applytest.Object(t, fmt.Sprintf("{apiVersion: v1, kind: %s, metadata: {name: %s, namespace: default}}", kind, name))
	if kind == "Secret" {
		obj.Object["stringData"] = map[string]any{"password": "value-of-the-secret"}
	}
	var references []metav1.OwnerReference
	for _, o := range owners {
		references = append(references, metav1.OwnerReference{APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Name: o.GetName(), UID: o.GetUID()})
	}
	obj.SetOwnerReferences(references)
	if err := c.Client().Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	return obj
}

func names(objects []*unstructured.Unstructured) []string {
	var found []string
	for _, o := range objects {
		found = append(found, o.GetKind()+" "+o.GetName())
	}
	slices.Sort(found)
	return found
}

// TestRead uses one API server, which has no controllers.
func TestRead(t *testing.T) {
	t.Parallel()
	config := applytest.Start(t)
	c := cluster(t, config)
	root := create(t, c, "ConfigMap", "root")
	gone := root.DeepCopy()
	gone.SetUID("gone")
	object := create(t, c, "ServiceAccount", "object", root, gone)
	create(t, c, "ConfigMap", "child", object)
	secret := create(t, c, "Secret", "secret", object)
	grandchild := create(t, c, "ConfigMap", "grandchild", secret, object)
	create(t, c, "ConfigMap", "stranger")
	create(t, c, "ConfigMap", "sibling", root)
	// An owner cycle.
	grandchild.SetOwnerReferences(append(grandchild.GetOwnerReferences(), metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "grandchild", UID: grandchild.GetUID()}))
	if err := c.Client().Update(t.Context(), grandchild); err != nil {
		t.Fatal(err)
	}
	for i, about := range []types.UID{object.GetUID(), "another"} {
		e := &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("event-%d", i)}, Reason: "Happened",
			InvolvedObject: corev1.ObjectReference{Namespace: "default", UID: about},
		}
		if err := c.Client().Create(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	read := func(t *testing.T, c *apply.Cluster, of *unstructured.Unstructured) *fetch.Family {
		t.Helper()
		family, err := fetch.Read(t.Context(), c.Client(), c.Clientset().Discovery(), of)
		if err != nil {
			t.Fatal(err)
		}
		return family
	}
	t.Run("Family", func(t *testing.T) {
		family := read(t, c, object)
		want := []string{"ConfigMap child", "ConfigMap grandchild", "ConfigMap root", "Secret secret", "ServiceAccount object"}
		if got := names(family.Objects); !slices.Equal(got, want) {
			t.Errorf("objects %q, want %q", got, want)
		}
		if len(family.Events) != 1 || family.Events[0].GetName() != "event-0" || family.Cut || len(family.Skipped) > 0 {
			t.Errorf("events %q, cut %v, skipped %q, want one Event", names(family.Events), family.Cut, family.Skipped)
		}
		for _, o := range family.Objects {
			if o.GetKind() == "Secret" && (o.Object["data"] != nil || len(o.GetManagedFields()) == 0) {
				t.Errorf("the Secret was read as %v, want only its metadata", o.Object)
			}
		}
		if n := retrospect.Trace(object.GetUID(), family.Objects, family.Events).SpanCount(); n < 4 {
			t.Errorf("%d spans, want one for each object", n)
		}
	})
	t.Run("Forbidden", func(t *testing.T) {
		family := read(t, cluster(t, reader(t, config)), object)
		if got := names(family.Objects); !slices.Equal(got, []string{"ConfigMap child", "ConfigMap grandchild", "ConfigMap root", "ServiceAccount object"}) || !slices.Contains(family.Skipped, "Secret") {
			t.Errorf("objects %q, skipped %q, want the ConfigMaps only", got, family.Skipped)
		}
	})
}

// reader returns the configuration of a user with permission to read ConfigMaps and Events.
func reader(t *testing.T, config *rest.Config) *rest.Config {
	t.Helper()
	c := cluster(t, config)
	for _, obj := range []client.Object{
		&rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: "reader"},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps", "events"}, Verbs: []string{"get", "list"}}},
		},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "reader"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "reader"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "reader"}},
		},
	} {
		if err := c.Client().Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	config = rest.CopyConfig(config)
	config.Impersonate.UserName = "reader"
	limited := cluster(t, config)
	applytest.Eventually(t, func(ctx context.Context) error {
		return limited.Client().List(ctx, &corev1.ConfigMapList{})
	})
	return config
}
