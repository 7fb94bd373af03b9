package install

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

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Status is what the cluster says about a component.
type Status struct {
	// Name is the component's name.
	Name string
	// Installed is whether any of the component's Deployments (the sample's objects, the Node) exist.
	Installed bool
	// Version is the version that was applied last; empty if nothing is installed.
	Version string
	// Since is when the oldest of its main objects (the Deployments, the sample's Head, the Node) was made.
	Since time.Time
	// Images are the images of the component's Deployments, sorted, each once.
	Images []string
	// Ready is whether the component would pass Wait now.
	Ready bool
	// Message says what is missing when Ready is false: the object and its last condition.
	Message string
}

// StatusOf reports on the named component from the cluster alone: it needs neither chart nor manifests. An absent
// component is no error. An error means that the API server couldn't be asked.
func StatusOf(ctx context.Context, c *Cluster, name string) (Status, error) {
	status := Status{Name: name}
	list, err := mainObjects(ctx, c, name)
	if err != nil {
		return status, fmt.Errorf("asking for %s: %w", name, err)
	}
	if len(list) == 0 {
		status.Message = "not installed"
		return status, nil
	}
	status.Installed = true
	for i := range list {
		obj := &list[i]
		status.Version = obj.GetAnnotations()[VersionAnnotation]
		status.Images = append(status.Images, images(obj)...)
		if made := obj.GetCreationTimestamp().Time; status.Since.IsZero() || made.Before(status.Since) {
			status.Since = made
		}
		if err := Ready(obj); err != nil && status.Message == "" {
			status.Message = fmt.Sprintf("%s: %v", describe(obj), err)
		}
	}
	slices.Sort(status.Images)
	status.Images = slices.Compact(status.Images)
	if status.Message == "" && !slices.ContainsFunc(list, hasReplicas) {
		status.Message = fmt.Sprintf("%s: it is scaled to no replicas", describe(&list[0]))
	}
	if status.Message == "" {
		// A check that can't be prepared is the caller's trouble, not the component's.
		serves, err := checkOf(c, name)
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

// hasReplicas tells whether an object wants Pods, or is none that could. For kstatus a Deployment that wants none is ready.
func hasReplicas(obj unstructured.Unstructured) bool {
	replicas, found, err := unstructured.NestedInt64(obj.Object, "spec", "replicas")
	return obj.GetKind() != "Deployment" || err != nil || !found || replicas > 0
}

// VersionOf returns the version of the named component that was applied last, also where its programs are processes that
// the cluster has no Deployment of. It is empty if the component isn't there or has no version. An error means that the
// API server couldn't be asked.
func VersionOf(ctx context.Context, c *Cluster, name string) (string, error) {
	kinds := []schema.GroupVersionKind{c.mainKind(name)}
	switch name {
	case component.CertManager:
		kinds = []schema.GroupVersionKind{mutating}
	case component.Operator:
		// Not every operator has webhooks, but each has its permissions.
		kinds = []schema.GroupVersionKind{mutating, validating, clusterRoleBinding, roleBinding}
	}
	for _, kind := range kinds {
		list, err := objectsOf(ctx, c, name, kind)
		if err != nil {
			return "", fmt.Errorf("asking for the version of %s: %w", name, err)
		}
		for i := range list {
			if version := list[i].GetAnnotations()[VersionAnnotation]; version != "" {
				return version, nil
			}
		}
	}
	return "", nil
}

// Apply leaves webhooks to the end, so that a half-applied component still has the version from before.
var (
	mutating           = admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingWebhookConfiguration")
	validating         = admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingWebhookConfiguration")
	clusterRoleBinding = rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding")
	roleBinding        = rbacv1.SchemeGroupVersion.WithKind("RoleBinding")
)

// mainKind is the kind of the objects that stand for a component.
func (c *Cluster) mainKind(name string) schema.GroupVersionKind {
	switch name {
	case component.Sample:
		return c.subject.Kind()
	case component.Node:
		return corev1.SchemeGroupVersion.WithKind("Node")
	default:
		return appsv1.SchemeGroupVersion.WithKind("Deployment")
	}
}

// mainObjects lists the objects that stand for a component: the sample's objects, the Node, else Deployments.
func mainObjects(ctx context.Context, c *Cluster, name string) ([]unstructured.Unstructured, error) {
	return objectsOf(ctx, c, name, c.mainKind(name))
}

// objectsOf lists a component's objects of one kind; there are none of a kind that isn't served.
func objectsOf(ctx context.Context, c *Cluster, name string, kind schema.GroupVersionKind) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	err := c.client.List(ctx, list, c.labelsOf(name))
	if err != nil {
		return nil, ignore(meta.IsNoMatchError, err)
	}
	return list.Items, nil
}

// images returns the images that a Deployment runs.
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
