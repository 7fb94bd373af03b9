package embedded

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// resetLimit is the timeout of a reset.
const resetLimit = time.Minute

// TestReset creates objects of all sorts, among them objects with finalizers and a webhook that denies the
// sample, changes and deletes objects of the sandbox, and resets the sandbox. Everything is then as before,
// except the sample, which is new.
func TestReset(t *testing.T) {
	s := newSandbox(t)
	s.up()
	before, pids := s.lastingObjects(), s.wantWhole()
	for range 2 {
		s.create("testdata/reset.yaml")
		s.damage()
		s.reset("Widget w", "Namespace team", "ConfigMap team/held", "CustomResourceDefinition widgets.example.com", "ValidatingWebhookConfiguration deny", "Head team/other")
		if diff := cmp.Diff(before, s.lastingObjects()); diff != "" {
			t.Fatalf("objects (-before +after the reset):\n%s", diff)
		}
		if diff := cmp.Diff(pids, s.wantWhole()); diff != "" {
			t.Errorf("processes (-before +after the reset):\n%s", diff)
		}
	}
	s.wantTrace("after-reset")
	s.reset("Head default/after-reset")
	if deleted := s.reset(); len(deleted) > 0 {
		t.Errorf("a second reset deleted %q, want nothing", deleted)
	}

	// Objects that are gone come back, with the processes that remember that they were gone.
	s.delete(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}, "", "heads.dummy.example.com")
	s.delete(schema.GroupVersionKind{Version: "v1", Kind: "ServiceAccount"}, "cert-manager", "cert-manager")
	s.reset()
	if diff := cmp.Diff(before, s.lastingObjects()); diff != "" {
		t.Errorf("objects (-before +after the second reset):\n%s", diff)
	}
	pids = s.wantWhole()
	s.wantTrace("redefined")

	// A reset repairs an operator that does not run.
	s.kill(pids[component.Operator])
	s.reset("Head default/redefined")
	s.wantWhole()
	s.wantTrace("repaired")
}

// create creates the objects of a file. It repeats requests of which the kind or the namespace is new.
func (s *sandbox) create(path string) {
	s.T.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		s.T.Fatal(err)
	}
	objects, err := config.Decode(string(text))
	if err != nil {
		s.T.Fatal(err)
	}
	for _, obj := range objects {
		s.wait("the creation of "+obj.GetKind()+" "+obj.GetName(), func() bool {
			err := s.client().Create(s.T.Context(), obj.DeepCopy())
			if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
				s.T.Fatal(err)
			}
			return err == nil
		})
	}
	s.wait("the Deployment of the other Head", func() bool {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "PodList"})
		return s.client().List(s.T.Context(), list) == nil && slices.ContainsFunc(list.Items, func(o unstructured.Unstructured) bool { return o.GetNamespace() == "team" })
	})
}

// damage changes objects of the sandbox.
func (s *sandbox) damage() {
	s.T.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default", Labels: map[string]string{"kubernetes.io/metadata.name": "default", "team": "mine"}}}
	if err := s.client().Update(s.T.Context(), namespace); err != nil {
		s.T.Fatal(err)
	}
	s.delete(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "", "team") // It stays, because of a finalizer.
	s.delete(schema.GroupVersionKind{Version: "v1", Kind: "ServiceAccount"}, "default", "default")
}

func (s *sandbox) delete(kind schema.GroupVersionKind, namespace, name string) {
	s.T.Helper()
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(kind)
	obj.SetNamespace(namespace)
	obj.SetName(name)
	if err := s.client().Delete(s.T.Context(), obj); err != nil {
		s.T.Fatal(err)
	}
}

// reset resets the sandbox, and returns the deleted objects. It fails the test unless the wanted ones are
// among them.
func (s *sandbox) reset(want ...string) []string {
	s.T.Helper()
	out, err := s.Run(s.T.Context(), resetLimit, "reset", "-o", "json")
	if err != nil {
		s.T.Fatalf("reset: %v\n%s", err, out)
	}
	var report struct {
		Deleted []string `json:"deleted"`
		Sample  string   `json:"sample"`
		Seconds float64  `json:"seconds"`
	}
	_, text, _ := strings.Cut(out, "{") // Progress precedes it.
	if err := json.Unmarshal([]byte("{"+text), &report); err != nil {
		s.T.Fatalf("reset: %v\n%s", err, out)
	}
	s.T.Logf("reset took %.2f s for %d objects", report.Seconds, len(report.Deleted))
	for _, name := range want {
		if !slices.Contains(report.Deleted, name) {
			s.T.Errorf("reset deleted %q, want also %s", report.Deleted, name)
		}
	}
	if report.Sample != "Head default/head-sample" {
		s.T.Errorf("reset applied the sample %q", report.Sample)
	}
	return report.Deleted
}

// lastingObjects returns the objects without the sample's, and without endpoints and addresses.
func (s *sandbox) lastingObjects() map[string]string {
	objects := s.objects()
	maps.DeleteFunc(objects, func(name, _ string) bool {
		return strings.Contains(name, "head-sample") || strings.HasPrefix(name, "endpoint") || strings.HasPrefix(name, "componentstatuses")
	})
	return objects
}
