package workload

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/project/condition"
)

// TestCluster uses one API server with the kinds of the reference operator. The subtests are
// parallel and have objects of their own.
func TestCluster(t *testing.T) {
	t.Parallel()
	manifests := applytest.Manifests(t)
	c, err := apply.NewCluster(applytest.Start(t), manifests.Subject())
	if err != nil {
		t.Fatal(err)
	}
	definitions, _, _ := apply.Split(manifests.Objects)
	if err := apply.Apply(t.Context(), c, definitions); err != nil {
		t.Fatal(err)
	}
	t.Run("Logs", func(t *testing.T) { testPodsAndLogs(t, c) })
	t.Run("Foreign", func(t *testing.T) { testForeign(t, c) })
	t.Run("Singleton", func(t *testing.T) { testSingleton(t, c) })
	t.Run("UndefinedKind", func(t *testing.T) { testUndefinedKind(t, c) })
	t.Run("Leases", func(t *testing.T) { testLeases(t, c) })
	t.Run("Notices", func(t *testing.T) { testNotices(t, c) })
	t.Run("Ended", func(t *testing.T) { testEnded(t, c) })
	t.Run("Explain", func(t *testing.T) { testExplain(t, c) })
	t.Run("Stuck", func(t *testing.T) { testStuck(t, c) })
}

// testForeign looks for components by their definitions.
func testForeign(t *testing.T, c *apply.Cluster) {
	t.Parallel()
	const theirs, unlabeled, ours = "things.example.test", "stuffs.example.test", "owns.example.test"
	for name, labels := range map[string]map[string]string{theirs: {"app.kubernetes.io/version": "v1.2.3"}, unlabeled: nil, ours: {apply.ManagedByLabel: apply.FieldManager}} {
		plural, group, _ := strings.Cut(name, ".")
		kind := strings.ToUpper(plural[:1]) + strings.TrimSuffix(plural[1:], "s")
		err := c.Client().Create(t.Context(), &apiextensionsv1.CustomResourceDefinition{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			Spec: apiextensionsv1.CustomResourceDefinitionSpec{
				Group: group, Scope: apiextensionsv1.ClusterScoped, Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Kind: kind},
				Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
					Name: "v1", Served: true, Storage: true,
					Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object"}},
				}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for definition, want := range map[string]string{
		"": "", "none.example.test": "", ours: "", theirs: "v1.2.3", unlabeled: "of unknown version",
	} {
		if got, err := Foreign(t.Context(), c, component.Component{Name: "a", Definition: definition}); got != want || err != nil {
			t.Errorf("Foreign(%q) = %q, %v, want %q", definition, got, err, want)
		}
	}
}

// testSingleton checks an operator whose kind allows one name only, before and after the sample
// exists, and one whose kind allows none.
func testSingleton(t *testing.T, c *apply.Cluster) {
	t.Parallel()
	const definition = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: ones.demo.example.test}, spec: {group: demo.example.test, scope: Namespaced,
  names: {kind: One, plural: ones}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-validations: [{rule: self.metadata.name == 'only'}]}}}]}}`
	if err := apply.Apply(t.Context(), c, []*unstructured.Unstructured{applytest.Object(t, definition)}); err != nil {
		t.Fatal(err)
	}
	one := func(name string) *unstructured.Unstructured {
		return applytest.Object(t, "{apiVersion: demo.example.test/v1, kind: One, metadata: {name: "+name+", namespace: default}}")
	}
	serves := func(name, annotation string) error {
		of, err := apply.NewCluster(c.Config(), project.Subject{Annotation: annotation, Samples: []*unstructured.Unstructured{one(name)}})
		if err != nil {
			t.Fatal(err)
		}
		return Serves(t.Context(), of, component.Operator)
	}
	if err := serves("only", "added"); err == nil || !strings.Contains(err.Error(), "no annotation added") {
		t.Errorf("Serves() without a webhook = %v, want an error about the annotation", err)
	}
	if err := serves("other", "added"); err == nil || !strings.Contains(err.Error(), "Invalid value") {
		t.Errorf("Serves() of a sample that is denied = %v, want the denial", err)
	}
	if err := c.Client().Create(t.Context(), one("only")); err != nil {
		t.Fatal(err)
	}
	for _, annotation := range []string{"", "added"} {
		if err := serves("only", annotation); err != nil {
			t.Errorf("Serves() of an existing sample = %v", err)
		}
	}
}

// testUndefinedKind checks the message about an operator that requires a kind of another project.
func testUndefinedKind(t *testing.T, c *apply.Cluster) {
	t.Parallel()
	const definition = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: plans.demo.example.test}, spec: {group: demo.example.test, scope: Namespaced,
  names: {kind: Plan, plural: plans}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`
	if err := apply.Apply(t.Context(), c, []*unstructured.Unstructured{applytest.Object(t, definition)}); err != nil {
		t.Fatal(err)
	}
	plan := applytest.Object(t, `{apiVersion: demo.example.test/v1, kind: Plan, metadata: {name: plan, namespace: default},
  status: {conditions: [{type: Ready, status: "False", reason: Error, message: 'no matches for kind "Backup" in version "storage.example.test/v1"'}]}}`)
	of, err := apply.NewCluster(c.Config(), project.Subject{Samples: []*unstructured.Unstructured{plan}, Condition: condition.Ready})
	if err != nil {
		t.Fatal(err)
	}
	plan.SetLabels(of.LabelsOf(component.Sample))
	if err := c.Client().Create(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if err := Serves(t.Context(), of, component.Sample); err == nil || !strings.Contains(err.Error(), "add the CustomResourceDefinition of Backup.storage.example.test to operator.manifests") {
		t.Errorf("Serves() = %v, want the remedy", err)
	}
}
