package workload

import (
	"context"
	"fmt"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Status is the state of a component in the cluster.
type Status struct {
	// Installed is true if any of its main objects exists: a Deployment, an object of the sample,
	// or the Node.
	Installed bool
	// Version is the version that was applied last; empty if the component is not installed.
	Version string
	// Since is when the oldest main object was created.
	Since time.Time
	// Images are the sorted images of the component's Deployments, each once.
	Images []string
	// Ready is true if a wait for the component would end at once.
	Ready bool
	// Message explains why Ready is false: an object with its last condition.
	Message string
}

// StatusOf returns the status of a component from the cluster only; it needs no chart and no
// manifests. It returns no error for an absent component. The error is the API server's.
func StatusOf(ctx context.Context, c *apply.Cluster, name string) (Status, error) {
	var status Status
	list, err := objectsOf(ctx, c, name, mainKind(c, name))
	if err != nil {
		return status, fmt.Errorf("reading the status of %s: %w", name, err)
	}
	if len(list) == 0 {
		status.Message = "not installed"
		return status, nil
	}
	status.Installed = true
	for i := range list {
		obj := &list[i]
		status.Version = obj.GetAnnotations()[apply.VersionAnnotation]
		status.Images = append(status.Images, images(obj)...)
		if made := obj.GetCreationTimestamp().Time; status.Since.IsZero() || made.Before(status.Since) {
			status.Since = made
		}
		ready := apply.Ready
		if name == component.Sample {
			ready = c.ReachedCondition
		}
		if err := ready(obj); err != nil && status.Message == "" {
			status.Message = fmt.Sprintf("%s: %v", apply.Describe(obj), err)
		}
	}
	slices.Sort(status.Images)
	status.Images = slices.Compact(status.Images)
	if status.Message == "" && !slices.ContainsFunc(list, hasReplicas) {
		status.Message = fmt.Sprintf("%s: it is scaled to no replicas", apply.Describe(&list[0]))
	}
	if status.Message == "" {
		// If the check cannot be prepared, the component is not the cause.
		serves, err := CheckOf(c, name)
		if err != nil {
			return status, err
		}
		if err := serves(ctx); err != nil {
			status.Message = err.Error()
		}
	}
	status.Ready = status.Message == ""
	return status, nil
}

// hasReplicas returns false for a Deployment with 0 replicas, which kstatus considers ready.
func hasReplicas(obj unstructured.Unstructured) bool {
	replicas, found, err := unstructured.NestedInt64(obj.Object, "spec", "replicas")
	return obj.GetKind() != "Deployment" || err != nil || !found || replicas > 0
}

// VersionOf returns the version of a component that was applied last, also if its programs are
// processes without Deployments. It is empty if the component is absent or has no version. The
// error is the API server's.
func VersionOf(ctx context.Context, c *apply.Cluster, name string) (string, error) {
	for _, kind := range versionedKinds(c, name) {
		list, err := objectsOf(ctx, c, name, kind)
		if err != nil {
			return "", fmt.Errorf("reading the version of %s: %w", name, err)
		}
		for i := range list {
			if version := list[i].GetAnnotations()[apply.VersionAnnotation]; version != "" {
				return version, nil
			}
		}
	}
	return "", nil
}

// versionedKinds returns the kinds that exist also without Pods. Webhooks are first: Apply writes
// them last, so a component that is half applied still has the previous version.
func versionedKinds(c *apply.Cluster, name string) []schema.GroupVersionKind {
	if !component.Named(name).DefinesKinds {
		return []schema.GroupVersionKind{mainKind(c, name)}
	}
	// Not every operator has webhooks, but each has permissions.
	return []schema.GroupVersionKind{
		admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingWebhookConfiguration"),
		admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingWebhookConfiguration"),
		rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding"), rbacv1.SchemeGroupVersion.WithKind("RoleBinding"),
	}
}

func mainKind(c *apply.Cluster, name string) schema.GroupVersionKind {
	switch name {
	case component.Sample:
		return c.Subject().Kind()
	case component.Node:
		return corev1.SchemeGroupVersion.WithKind("Node")
	default:
		return appsv1.SchemeGroupVersion.WithKind("Deployment")
	}
}

// objectsOf lists a component's objects of a kind; none if the kind is not served. If there is no
// Deployment, it lists StatefulSets: few operators are one.
func objectsOf(ctx context.Context, c *apply.Cluster, name string, kind schema.GroupVersionKind) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	err := c.Client().List(ctx, list, c.LabelsOf(name))
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if deployments := appsv1.SchemeGroupVersion.WithKind("Deployment"); err == nil && kind == deployments && len(list.Items) == 0 && name == component.Operator {
		return objectsOf(ctx, c, name, appsv1.SchemeGroupVersion.WithKind("StatefulSet"))
	}
	return list.Items, err
}

func images(obj *unstructured.Unstructured) []string {
	containers, _, err := unstructured.NestedSlice(obj.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return nil
	}
	var out []string
	for _, container := range containers {
		if m, ok := container.(map[string]any); ok {
			if image, ok := m["image"].(string); ok {
				out = append(out, image)
			}
		}
	}
	return out
}
