package feed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/feed"
	"github.com/operator-tracing/sandbox/sandbox/observe/related"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// about is a watcher of the kinds that are related to an object.
type about struct {
	watching
	watched, unsearched []string
}

// watchAbout starts a watcher in a namespace, waits until it has listed everything, and stops it when
// the test ends.
func watchAbout(t *testing.T, config *rest.Config, target writes.Object) *about {
	t.Helper()
	w := &about{}
	note := func(list *[]string) func(schema.GroupVersionResource, error) {
		return func(r schema.GroupVersionResource, _ error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			*list = append(*list, r.GroupResource().String())
		}
	}
	observer := observe.New(observe.Options{
		Wrote: func(write *writes.Write) {
			w.mu.Lock()
			defer w.mu.Unlock()
			cause := "the user"
			if write.Cause.Certainty != "" {
				cause = string(write.Cause.Certainty) + " " + write.Cause.Object.Kind
			}
			if write.Lost {
				cause += ", lost"
			}
			w.writes = append(w.writes, fmt.Sprintf("%s %s %s/%s because of %s", write.Writer, write.Verb, write.Object.Kind, write.Object.Name, cause))
		},
		Failed: func(err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.errors = append(w.errors, err)
		},
	})
	watcher := feed.Watcher{
		Config: config, Namespaces: []string{target.Namespace}, About: []writes.Object{target},
		Watching: func(r schema.GroupVersionResource) { note(&w.watched)(r, nil) }, Skipped: note(&w.skipped), Unsearched: note(&w.unsearched),
	}
	run(t, &watcher, observer)
	return w
}

// kinds returns the sorted resources that are watched.
func (w *about) kinds() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.watched))
}

// define creates kinds, named KIND.GROUP, and waits until they are served.
func define(t *testing.T, c client.Client, names ...string) {
	t.Helper()
	for _, name := range names {
		kind, group, _ := strings.Cut(name, ".")
		plural := strings.ToLower(kind) + "s"
		err := c.Create(t.Context(), applytest.Object(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: `+plural+`.`+group+`}, spec: {group: `+group+`, scope: Namespaced,
  names: {kind: `+kind+`, plural: `+plural+`}, versions: [{name: v1, served: true, storage: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`))
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		kind, group, _ := strings.Cut(name, ".")
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind + "List"})
		eventually(t, func() error { return c.List(t.Context(), list) })
	}
}

// create creates an object, with a manager and an owner if that is not nil.
func create(t *testing.T, c client.Client, manager string, owner *unstructured.Unstructured, text string) *unstructured.Unstructured {
	t.Helper()
	u := applytest.Object(t, text)
	if owner != nil {
		u.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, owner.GroupVersionKind())})
	}
	if err := c.Create(t.Context(), u, client.FieldOwner(manager)); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestWatcherAbout(t *testing.T) {
	t.Parallel()
	config := applytest.Start(t)
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	define(t, c, "Head.demo.test", "ChildA.demo.test", "Certificate.cm.test", "CertificateRequest.cm.test", "Order.acme.cm.test", "Monitor.monitoring.test", "Rollout.roll.test", "Odd.odd.test")
	const labels = `selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}`
	t.Run("an operator's tree", func(t *testing.T) {
		w := watchAbout(t, config, writes.Object{Group: "demo.test", Kind: "Head", Namespace: "default", Name: "h"})
		served := servedBy(t, config)
		if watched := w.kinds(); len(watched) > 25 || len(watched) > len(served)/2 || slices.Contains(watched, "certificates.cm.test") || slices.Contains(watched, "monitors.monitoring.test") || slices.Contains(watched, "namespaces") {
			t.Errorf("%d of %d kinds are watched: %v", len(watched), len(served), watched)
		} else {
			t.Logf("%d of %d kinds are watched", len(watched), len(served))
		}
		head := create(t, c, "kubectl", nil, "{apiVersion: demo.test/v1, kind: Head, metadata: {name: h, namespace: default}, spec: {a: 1}}")
		child := create(t, c, "op", head, "{apiVersion: demo.test/v1, kind: ChildA, metadata: {name: a, namespace: default}}")
		deployment := create(t, c, "op", child, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: default}, spec: {"+labels+"}}")
		set := create(t, c, "kube-controller-manager", deployment, "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r, namespace: default}, spec: {"+labels+"}}")
		create(t, c, "kube-controller-manager", set, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: default}, spec: {containers: [{name: a, image: a}]}}")
		create(t, c, "op", head, "{apiVersion: monitoring.test/v1, kind: Monitor, metadata: {name: m, namespace: default}}")
		for _, want := range []string{
			"kubectl create Head/h because of the user", "op create ChildA/a because of same Head", "op create Deployment/d because of same ChildA",
			"deployment-controller create ReplicaSet/r because of same Deployment", "replicaset-controller create Pod/p because of same ReplicaSet",
			// Its kind was found later.
			"op create Monitor/m because of same Head, lost",
		} {
			w.wait(t, want)
		}
		if watched := w.kinds(); !slices.Contains(watched, "monitors.monitoring.test") || slices.Contains(watched, "odds.odd.test") {
			t.Errorf("watched are %v, want also monitors, without odds", watched)
		}
	})
	t.Run("dependents that exist show their kinds", func(t *testing.T) {
		w := watchAbout(t, config, writes.Object{Group: "demo.test", Kind: "Head", Namespace: "default", Name: "h"})
		if watched := w.kinds(); !slices.Contains(watched, "monitors.monitoring.test") {
			t.Errorf("watched are %v, want also monitors", watched)
		}
		create(t, c, "op", nil, "{apiVersion: monitoring.test/v1, kind: Monitor, metadata: {name: m2, namespace: default}, spec: {a: 1}}")
		w.wait(t, "op create Monitor/m2 because of the user")
	})
	t.Run("groups of one operator", func(t *testing.T) {
		w := watchAbout(t, config, writes.Object{Group: "cm.test", Kind: "Certificate", Namespace: "default", Name: "web"})
		certificate := create(t, c, "kubectl", nil, "{apiVersion: cm.test/v1, kind: Certificate, metadata: {name: web, namespace: default}, spec: {secretName: web-tls}}")
		request := create(t, c, "cm-requests", certificate, "{apiVersion: cm.test/v1, kind: CertificateRequest, metadata: {name: web-1, namespace: default}}")
		create(t, c, "cm-orders", request, "{apiVersion: acme.cm.test/v1, kind: Order, metadata: {name: web-1-1, namespace: default}}")
		w.wait(t, "cm-requests create CertificateRequest/web-1 because of same Certificate")
		w.wait(t, "cm-orders create Order/web-1-1 because of same CertificateRequest")
	})
	t.Run("an owner of a kind that is not watched", func(t *testing.T) {
		w := watchAbout(t, config, writes.Object{Group: "apps", Kind: "Deployment", Namespace: "default", Name: "d2"})
		if got, want := strings.Join(w.kinds(), " "), "deployments.apps events pods replicasets.apps"; got != want {
			t.Errorf("watched are %s, want %s", got, want)
		}
		rollout := create(t, c, "kubectl", nil, "{apiVersion: roll.test/v1, kind: Rollout, metadata: {name: r2, namespace: default}, spec: {a: 1}}")
		create(t, c, "op", rollout, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d2, namespace: default}, spec: {"+labels+"}}")
		w.wait(t, "kubectl create Rollout/r2 because of the user, lost")
		w.wait(t, "op create Deployment/d2 because of same Rollout")
	})
	t.Run("a kind that is defined later", func(t *testing.T) {
		w := watchAbout(t, config, writes.Object{Group: "late.test", Kind: "Late", Namespace: "default"})
		define(t, c, "Late.late.test")
		create(t, c, "kubectl", nil, "{apiVersion: late.test/v1, kind: Late, metadata: {name: l, namespace: default}, spec: {a: 1}}")
		eventually(t, func() error {
			if watched := w.kinds(); !slices.Contains(watched, "lates.late.test") {
				return fmt.Errorf("watched are %v", watched)
			}
			return nil
		})
		eventually(t, func() error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if all := strings.Join(w.writes, "\n"); !strings.Contains(all, "kubectl create Late/l because of the user") {
				return fmt.Errorf("no create of Late; the writes are\n%s", all)
			}
			return nil
		})
	})
	t.Run("a user with permission to read two kinds in one namespace", func(t *testing.T) { testOneNamespace(t, config, c) })
}

func testOneNamespace(t *testing.T, config *rest.Config, c client.Client) {
	for _, obj := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}},
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader", Namespace: "team"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"", "demo.test"}, Resources: []string{"configmaps", "heads"}, Verbs: []string{"get", "list", "watch"}}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "reader", Namespace: "team"}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "reader"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "team-reader"}}},
	} {
		if err := c.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	limited := rest.CopyConfig(config)
	limited.Impersonate.UserName = "team-reader"
	w := watchAbout(t, limited, writes.Object{Group: "demo.test", Kind: "Head", Namespace: "team", Name: "h"})
	head := create(t, c, "kubectl", nil, "{apiVersion: demo.test/v1, kind: Head, metadata: {name: h, namespace: team}}")
	create(t, c, "op", head, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: team}}")
	w.wait(t, "op create ConfigMap/a because of same Head")
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.skipped, "pods") || slices.Contains(w.skipped, "heads.demo.test") || !slices.Contains(w.unsearched, "monitors.monitoring.test") || len(w.errors) > 0 {
		t.Errorf("skipped %v, unsearched %v, errors %v; want pods, monitors and no errors", w.skipped, w.unsearched, w.errors)
	}
}

func servedBy(t *testing.T, config *rest.Config) []related.Resource {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := d.ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	return related.Served(lists)
}
