package manifest

import (
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// Applier renders the permissions of [workload.ApplierUser] to apply the sample, and no others. The
// kinds of the sample must be served already. The component is ready when the permissions work.
func Applier(c *apply.Cluster) (*Component, error) {
	resources, err := workload.SampleResources(c)
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", workload.ApplierName, err)
	}
	var rules []any
	for _, r := range resources {
		rules = append(rules, map[string]any{
			"apiGroups": []any{r.Group}, "resources": []any{r.Resource}, "verbs": []any{"get", "create", "patch"},
		})
	}
	objects := applierObjects()
	objects[0].Object["rules"] = rules
	return newComponent(workload.ApplierName, "", objects), nil
}

// WithoutApplier returns the component for [Component.Delete], which needs no kinds of the sample.
func WithoutApplier() *Component {
	return newComponent(workload.ApplierName, "", applierObjects())
}

// applierObjects returns the role, without its rules, and its binding.
func applierObjects() []*unstructured.Unstructured {
	const user = workload.ApplierUser
	role := kinds.New(rbacv1.SchemeGroupVersion.WithKind("ClusterRole"), "", user)
	binding := kinds.New(rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding"), "", user)
	binding.Object["roleRef"] = map[string]any{"apiGroup": rbacv1.GroupName, "kind": "ClusterRole", "name": user}
	binding.Object["subjects"] = []any{map[string]any{"apiGroup": rbacv1.GroupName, "kind": "User", "name": user}}
	return []*unstructured.Unstructured{role, binding}
}
