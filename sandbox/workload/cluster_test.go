package workload

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/component"
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
	t.Run("Kinds", func(t *testing.T) { testKindCalled(t, c) })
	t.Run("Foreign", func(t *testing.T) { testForeign(t, c) })
	t.Run("Leases", func(t *testing.T) { testLeases(t, c) })
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
