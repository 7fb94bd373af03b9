package existing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// TestOnCluster uses one API server. The subtests run one after the other: each adds to the cluster.
func TestOnCluster(t *testing.T) {
	t.Parallel()
	config := applytest.Start(t)
	s := connected(t, session.Options{Registry: "r.example/team"}, state.Record{}, "https://127.0.0.1:1")
	c := Attach(s)
	s.Connect(func() (*rest.Config, error) { return config, nil }, true)
	target, err := s.Target()
	if err != nil {
		t.Fatal(err)
	}
	create := func(t *testing.T, text string) {
		t.Helper()
		if err := target.Client().Create(t.Context(), applytest.Object(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	service := applytest.Object(t, `{apiVersion: v1, kind: Service, metadata: {name: jaeger, namespace: jaeger}, spec: {ports: [{port: 1}]}}`)
	t.Run("an empty cluster", func(t *testing.T) {
		if err := c.chooseDelivery(t.Context(), noReport); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.surveyJaeger(t.Context(), target), c.surveyOperator(t.Context(), target)); err != nil {
			t.Fatal(err)
		}
		changes := strings.Join(c.Changes(), "\n")
		for _, want := range []string{"Jaeger        v2", "namespace jaeger", "operator      the reference operator", "pushed to r.example/team", "kinds childas.dummy.example.com, heads.dummy.example.com"} {
			if !strings.Contains(changes, want) {
				t.Errorf("changes %q, want %q in them", changes, want)
			}
		}
	})
	t.Run("objects of the sandbox are not changes", func(t *testing.T) {
		create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: jaeger}}`)
		apply.Label([]*unstructured.Unstructured{service}, component.Jaeger, "v2")
		if err := apply.Apply(t.Context(), target, []*unstructured.Unstructured{service}); err != nil {
			t.Fatal(err)
		}
		c.changes = nil
		if err := c.surveyJaeger(t.Context(), target); err != nil || len(c.Changes()) != 0 {
			t.Errorf("surveyJaeger() = %v, changes %q; want none", err, c.Changes())
		}
	})
	t.Run("objects of others", func(t *testing.T) {
		live := applytest.Live(service)
		if err := target.Client().Get(t.Context(), client.ObjectKeyFromObject(service), live); err != nil {
			t.Fatal(err)
		}
		live.SetLabels(nil)
		if err := target.Client().Update(t.Context(), live); err != nil {
			t.Fatal(err)
		}
		var foreign *apply.ForeignError
		if err := c.surveyJaeger(t.Context(), target); !errors.As(err, &foreign) || foreign.Object != "Service jaeger/jaeger" {
			t.Errorf("surveyJaeger() = %v, want an error about the Service", err)
		}
	})
	t.Run("a Jaeger of the user", func(t *testing.T) {
		c.wanted.JaegerEndpoint, c.changes = "j:4317", nil
		if err := c.surveyJaeger(t.Context(), target); err != nil || !slices.Equal(c.Changes(), []string{"Jaeger        yours at j:4317: none is installed"}) {
			t.Errorf("surveyJaeger() = %v, changes %q", err, c.Changes())
		}
		c.wanted.JaegerEndpoint = ""
	})
	t.Run("a component that does not answer", func(t *testing.T) {
		row := component.Named(component.CertManager)
		name, group, _ := strings.Cut(row.Definition, ".")
		create(t, fmt.Sprintf(`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: %[1]s.%[2]s, labels: {app.kubernetes.io/version: v1.20.0}},
 spec: {group: %[2]s, scope: Namespaced, names: {plural: %[1]s, singular: certificate, kind: Certificate, listKind: CertificateList},
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}}`, name, group))
		c.wanted.Found = map[string]string{}
		err := c.surveyFromTable(t.Context(), target, row, noReport)
		if err == nil || !strings.HasPrefix(err.Error(), "the cluster has a cert-manager, v1.20.0, that does not answer; repair or remove it: ") {
			t.Errorf("surveyFromTable() = %v, want an error about the user's", err)
		}
		if about, own := c.own(component.CertManager); !own || about != "v1.20.0, as it is" {
			t.Errorf("own() = %q, %t; want the user's version", about, own)
		}
	})
	t.Run("down is idempotent", func(t *testing.T) { testDown(t, c, target) })
}

// testDown checks that Down deletes the objects of the sandbox, once, and no others.
func testDown(t *testing.T, c *Cluster, target *apply.Cluster) {
	own := applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: own, namespace: default}}`)
	apply.Label([]*unstructured.Unstructured{own}, "test", "")
	other := applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: default}}`)
	if err := errors.Join(apply.Apply(t.Context(), target, []*unstructured.Unstructured{own}), target.Client().Create(t.Context(), other)); err != nil {
		t.Fatal(err)
	}
	scope, err := c.Scope(t.Context())
	if err != nil || !slices.Contains(scope.Namespaces, "default") {
		t.Errorf("Scope() = %q, %v; want the namespace of the object", scope.Namespaces, err)
	}
	if losses, err := c.Losses(t.Context()); err != nil || len(losses) > 0 {
		t.Errorf("Losses() = %q, %v; want none", losses, err)
	}
	for i := range 2 {
		var said []string
		report := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
		want := fmt.Sprintf("%d objects", 1-i)
		if err := c.Down(t.Context(), report); err != nil || !slices.Contains(said, want) {
			t.Errorf("Down() number %d = %v, report %q; want %q", i+1, err, said, want)
		}
	}
	if err := target.Client().Get(t.Context(), types.NamespacedName{Namespace: "default", Name: "other"}, applytest.Live(other)); err != nil {
		t.Errorf("the object of others: %v", err)
	}
}
