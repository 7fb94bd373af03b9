package tracing

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// TestKindsOfOneType: the kind of a Go type is cached, except for types whose objects name their
// kind. Two objects of such a type keep their own kinds.
func TestKindsOfOneType(t *testing.T) {
	scheme := runtime.NewScheme()
	gv := schema.GroupVersion{Group: "example.com", Version: "v1"}
	scheme.AddKnownTypeWithName(gv.WithKind("One"), &corev1.Secret{})
	scheme.AddKnownTypeWithName(gv.WithKind("Two"), &corev1.Secret{})
	scheme.AddKnownTypeWithName(gv.WithKind("Only"), &corev1.ConfigMap{})
	c := &tracedClient{Client: fake.NewClientBuilder().WithScheme(scheme).Build(), cfg: newConfig(nil)}

	typed := func(kind string) runtime.Object {
		return &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: gv.String(), Kind: kind}}
	}
	partial := func(kind string) runtime.Object {
		return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: gv.String(), Kind: kind}}
	}
	untyped := func(kind string) runtime.Object {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(gv.WithKind(kind))
		return u
	}
	var got []string
	for _, obj := range []runtime.Object{
		typed("One"), typed("Two"), typed("One"),
		partial("One"), partial("Two"), untyped("One"), untyped("Two"),
		&corev1.ConfigMap{}, &corev1.ConfigMap{}, &corev1.Secret{}, typed("Two"),
	} {
		got = append(got, c.kind(obj).Kind)
	}
	want := []string{"One", "Two", "One", "One", "Two", "One", "Two", "Only", "Only", "Secret", "Two"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}
