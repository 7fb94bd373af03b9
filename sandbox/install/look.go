package install

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// Found is what a shared cluster has of a component's objects, before anything is changed.
type Found struct {
	// Missing are to be made, Own are the sandbox's already.
	Missing, Own []*unstructured.Unstructured
	// Kept are Namespaces of somebody else's: they are used as they are.
	Kept []*unstructured.Unstructured
}

// Look finds out which of the component's objects are there, and changes nothing. The error is a *ForeignError where one of
// them is somebody else's.
func (p *Component) Look(ctx context.Context, c *Cluster) (Found, error) {
	var found Found
	var mu sync.Mutex
	err := each(ctx, p.Objects, func(ctx context.Context, obj *unstructured.Unstructured) error {
		live, err := read(ctx, c, obj)
		if err != nil {
			return fmt.Errorf("looking for %s: %w", describe(obj), err)
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case live == nil:
			found.Missing = append(found.Missing, obj)
		case c.owns(live):
			found.Own = append(found.Own, obj)
		case phaseOf(obj) == phaseNamespaces:
			found.Kept = append(found.Kept, obj)
		default:
			return foreign(live)
		}
		return nil
	})
	return found, err
}

// certManagerCRD is the definition by which a cert-manager is known.
const certManagerCRD = "certificates.cert-manager.io"

// ForeignCertManager finds a cert-manager that is not the sandbox's. The version is what its definitions say, or "of unknown
// version"; it is empty where there is none, or the sandbox's own.
func ForeignCertManager(ctx context.Context, c *Cluster) (version string, err error) {
	crd := &unstructured.Unstructured{}
	crd.SetAPIVersion("apiextensions.k8s.io/v1")
	crd.SetKind("CustomResourceDefinition")
	crd.SetName(certManagerCRD)
	live, err := read(ctx, c, crd)
	if err != nil {
		return "", fmt.Errorf("looking for cert-manager: %w", err)
	}
	if live == nil || c.owns(live) {
		return "", nil
	}
	if live.GetLabels()[ManagedByLabel] == FieldManager {
		return "", foreign(live) // It would go with that sandbox.
	}
	if version = live.GetLabels()["app.kubernetes.io/version"]; version == "" {
		version = "of unknown version"
	}
	return version, nil
}

// UID tells clusters apart: it is that of the Namespace kube-system.
func UID(ctx context.Context, c *Cluster) (string, error) {
	system := &corev1.Namespace{}
	if err := c.client.Get(ctx, types.NamespacedName{Name: "kube-system"}, system); err != nil {
		return "", fmt.Errorf("reading the namespace kube-system: %w", err)
	}
	return string(system.UID), nil
}

// Nodes lists the cluster's nodes. An API server that lets the user see none is no error: nobody may be told.
func Nodes(ctx context.Context, c *Cluster) ([]corev1.Node, error) {
	nodes := &corev1.NodeList{}
	err := c.client.List(ctx, nodes)
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	return nodes.Items, nil
}
