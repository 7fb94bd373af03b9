package feed_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/feed"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// watching is a watcher of an API server, and what it saw.
type watching struct {
	mu      sync.Mutex
	writes  []string
	lost    []string // The marked writes.
	skipped []string
	errors  []error
}

// watch starts a watcher, waits until it has listed everything, and stops it when the test ends.
func watch(t *testing.T, config *rest.Config, namespaces ...string) *watching {
	t.Helper()
	w := &watching{}
	observer := observe.New(observe.Options{
		Wrote: func(write *writes.Write) {
			w.mu.Lock()
			defer w.mu.Unlock()
			cause := "the user"
			if write.Cause.Certainty != "" {
				cause = string(write.Cause.Certainty) + " " + write.Cause.Object.Kind
			}
			w.writes = append(w.writes, fmt.Sprintf("%s %s %s/%s because of %s", write.Writer, write.Verb, write.Object.Kind, write.Object.Name, cause))
			if write.Lost {
				w.lost = append(w.lost, fmt.Sprintf("%s %s", write.Verb, write.Object.Name))
			}
		},
		Failed: func(err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.errors = append(w.errors, err)
		},
	})
	watcher := feed.Watcher{Config: config, Namespaces: namespaces, Skipped: func(r schema.GroupVersionResource, _ error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.skipped = append(w.skipped, r.Resource)
	}}
	run(t, &watcher, observer)
	return w
}

// run runs a watcher until the end of the test, and waits until it has listed the objects.
func run(t *testing.T, watcher *feed.Watcher, observer *observe.Observer) {
	t.Helper()
	synced := make(chan struct{})
	watcher.Synced = func() { close(synced) }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- watcher.Run(ctx, observer) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
	select {
	case <-synced:
	case <-time.After(2 * time.Minute):
		t.Fatal("the watcher has not listed the objects within two minutes")
	}
}

// wait waits for a write.
func (w *watching) wait(t *testing.T, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for ticker := time.NewTicker(20 * time.Millisecond); ; {
		w.mu.Lock()
		found, all := slices.Contains(w.writes, want), strings.Join(w.writes, "\n")
		w.mu.Unlock()
		if found {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("no write %q; the writes are\n%s\nerrors: %v", want, all, w.errors)
		}
	}
}

func TestWatcher(t *testing.T) {
	t.Parallel()
	config := applytest.Start(t)
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, config)
	as := func(manager string) client.FieldOwner { return client.FieldOwner(manager) }
	t.Run("a kind that is defined later", func(t *testing.T) {
		const definition = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: heads.demo.test}, spec: {group: demo.test, scope: Namespaced,
  names: {kind: Head, plural: heads}, versions: [{name: v1, served: true, storage: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`
		if err := c.Create(t.Context(), applytest.Object(t, definition)); err != nil {
			t.Fatal(err)
		}
		head := applytest.Object(t, "{apiVersion: demo.test/v1, kind: Head, metadata: {name: a, namespace: default}, spec: {replicas: 1}}")
		eventually(t, func() error { return c.Create(t.Context(), head.DeepCopy(), as("kubectl")) })
		w.wait(t, "kubectl create Head/a because of the user")
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(head), head); err != nil {
			t.Fatal(err)
		}
		settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Name: "a-settings", Namespace: "default", OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(head, head.GroupVersionKind())},
		}}
		if err := c.Create(t.Context(), settings, as("op")); err != nil {
			t.Fatal(err)
		}
		if err := unstructured.SetNestedField(head.Object, "ready", "status", "phase"); err != nil {
			t.Fatal(err)
		}
		if err := c.Status().Update(t.Context(), head, &client.SubResourceUpdateOptions{UpdateOptions: client.UpdateOptions{FieldManager: "op"}}); err != nil {
			t.Fatal(err)
		}
		w.wait(t, "op create ConfigMap/a-settings because of same Head")
		w.wait(t, "op update_status Head/a because of same Head")
		if err := c.Delete(t.Context(), settings); err != nil {
			t.Fatal(err)
		}
		w.wait(t, " remove ConfigMap/a-settings because of same Head")
	})
	t.Run("a user with permission to read one kind in one namespace", func(t *testing.T) {
		for _, obj := range []client.Object{
			&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader", Namespace: "default"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list", "watch"}}}},
			&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "reader", Namespace: "default"}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "reader"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "reader"}}},
		} {
			if err := c.Create(t.Context(), obj); err != nil {
				t.Fatal(err)
			}
		}
		limited := rest.CopyConfig(config)
		limited.Impersonate.UserName = "reader"
		w := watch(t, limited, "default")
		if err := c.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "seen", Namespace: "default"}, Data: map[string]string{"a": "b"}}, as("kubectl")); err != nil {
			t.Fatal(err)
		}
		w.wait(t, "kubectl create ConfigMap/seen because of the user")
		w.mu.Lock()
		defer w.mu.Unlock()
		if !slices.Contains(w.skipped, "secrets") || slices.Contains(w.skipped, "configmaps") || len(w.errors) > 0 {
			t.Errorf("skipped %v with errors %v, want secrets but not configmaps, and no errors", w.skipped, w.errors)
		}
	})
}

// eventually calls do until it returns nil.
func eventually(t *testing.T, do func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for ticker := time.NewTicker(50 * time.Millisecond); ; {
		err := do()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}
