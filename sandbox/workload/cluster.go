package workload

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Foreign returns the version of an installed component that is not the sandbox's, as its
// definition states it, or "of unknown version". It is empty if there is none, or only the
// sandbox's, and for components without a Definition in the table. The error is an [*apply.ForeignError] if another sandbox owns it: it would be deleted
// with that sandbox.
func Foreign(ctx context.Context, c *apply.Cluster, row component.Component) (version string, err error) {
	if row.Definition == "" {
		return "", nil
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	if err := c.Client().Get(ctx, types.NamespacedName{Name: row.Definition}, live); err != nil {
		if apply.Gone(err) {
			return "", nil
		}
		return "", fmt.Errorf("looking for %s: %w", row.Name, err)
	}
	if c.Owns(live) {
		return "", nil
	}
	if foreign := apply.Foreign(live); foreign.Made {
		return "", foreign
	}
	if version = live.GetLabels()["app.kubernetes.io/version"]; version == "" {
		version = "of unknown version"
	}
	return version, nil
}

// UID identifies a cluster: it is the UID of the Namespace kube-system.
func UID(ctx context.Context, c *apply.Cluster) (string, error) {
	system := &corev1.Namespace{}
	if err := c.Client().Get(ctx, types.NamespacedName{Name: "kube-system"}, system); err != nil {
		return "", fmt.Errorf("reading the namespace kube-system: %w", err)
	}
	return string(system.UID), nil
}

// Nodes lists the cluster's nodes. It returns an empty list if the user may not list them.
func Nodes(ctx context.Context, c *apply.Cluster) ([]corev1.Node, error) {
	nodes := &corev1.NodeList{}
	err := c.Client().List(ctx, nodes)
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	return nodes.Items, nil
}

// ServerForPods returns the API server's URL in the network of Pods. It has an address instead of a
// name, so that Pods which start together with the cluster need not wait for its DNS.
func ServerForPods(ctx context.Context, c *apply.Cluster) (string, error) {
	service := &corev1.Service{}
	if err := c.Client().Get(ctx, types.NamespacedName{Namespace: "default", Name: "kubernetes"}, service); err != nil {
		return "", fmt.Errorf("looking for the API server's address for Pods: %w", err)
	}
	if service.Spec.ClusterIP == "" || len(service.Spec.Ports) == 0 {
		return "", errors.New("looking for the API server's address for Pods: Service default/kubernetes has none")
	}
	return "https://" + net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(int(service.Spec.Ports[0].Port))), nil
}
