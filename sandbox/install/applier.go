package install

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	// ApplierName is the component around the user that applies the sample where the control plane is traced.
	ApplierName = "applier"
	// ApplierUser is that user.
	ApplierUser = "operator-tracing-sandbox"
)

// Applier renders what lets [ApplierUser] apply the sample, and do nothing else: the kinds of the sample must be served by now. It
// is ready when the API server knows.
func Applier(c *Cluster) (*Component, error) {
	resources, err := sampleResources(c)
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", ApplierName, err)
	}
	var rules []any
	for _, r := range resources {
		rules = append(rules, map[string]any{
			"apiGroups": []any{r.Group}, "resources": []any{r.Resource}, "verbs": []any{"get", "create", "patch"},
		})
	}
	objects := applierObjects()
	objects[0].Object["rules"] = rules
	return newComponent(ApplierName, "", objects), nil
}

// WithoutApplier is the same component for [Component.Delete], which needs no kinds.
func WithoutApplier() *Component { return newComponent(ApplierName, "", applierObjects()) }

// applierObjects are the role, without its rules, and its binding.
func applierObjects() []*unstructured.Unstructured {
	role := &unstructured.Unstructured{Object: map[string]any{}}
	role.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("ClusterRole"))
	role.SetName(ApplierUser)
	binding := &unstructured.Unstructured{Object: map[string]any{
		"roleRef":  map[string]any{"apiGroup": rbacv1.GroupName, "kind": "ClusterRole", "name": ApplierUser},
		"subjects": []any{map[string]any{"apiGroup": rbacv1.GroupName, "kind": "User", "name": ApplierUser}},
	}}
	binding.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding"))
	binding.SetName(ApplierUser)
	return []*unstructured.Unstructured{role, binding}
}

// sampleResources are those of the sample's kinds, each once, with the namespace of one object.
func sampleResources(c *Cluster) ([]authorizationv1.ResourceAttributes, error) {
	var resources []authorizationv1.ResourceAttributes
	seen := map[string]bool{}
	for _, obj := range c.subject.Samples {
		gvk := obj.GroupVersionKind()
		mapping, err := c.client.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			return nil, fmt.Errorf("finding the resource of %s: %w", gvk.Kind, err)
		}
		if seen[mapping.Resource.String()] {
			continue
		}
		seen[mapping.Resource.String()] = true
		resources = append(resources, authorizationv1.ResourceAttributes{
			Group: mapping.Resource.Group, Resource: mapping.Resource.Resource, Namespace: obj.GetNamespace(), Verb: "patch",
		})
	}
	return resources, nil
}

// applierReady asks whether the user may: what a role says counts a moment after it was written.
func applierReady(ctx context.Context, c *Cluster) error {
	resources, err := sampleResources(c)
	if err != nil {
		return err
	}
	for _, r := range resources {
		answer, err := c.clientset.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: ApplierUser, ResourceAttributes: &r},
		}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("asking what user %s may: %w", ApplierUser, err)
		}
		if !answer.Status.Allowed {
			return fmt.Errorf("user %s may not %s %s.%s yet", ApplierUser, r.Verb, r.Resource, r.Group)
		}
	}
	return nil
}
