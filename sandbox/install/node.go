package install

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// Node renders the node of a cluster without a kubelet and the permissions of kwok, which plays it. It is ready when the
// node is, and Pods can be made: kwok has reported on the node, and kube-controller-manager has made the ServiceAccount
// that Pods get by default.
func Node() (*Component, error) {
	objects, err := config.Build("node", "")
	if err != nil {
		return nil, err
	}
	return newComponent(component.Node, "", objects), nil
}

// nodeReady looks at every Node of the component, not at the conditions of a kubelet's own.
func nodeReady(ctx context.Context, c *Cluster) error {
	nodes, err := mainObjects(ctx, c, component.Node)
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		return errors.New("no Node")
	}
	for i := range nodes {
		if err := conditionIs(&nodes[i], project.Ready); err != nil {
			return fmt.Errorf("%s: %w", describe(&nodes[i]), err)
		}
	}
	account := &unstructured.Unstructured{}
	account.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"))
	key := types.NamespacedName{Namespace: project.DefaultNamespace, Name: "default"}
	if err := c.client.Get(ctx, key, account); err != nil {
		return fmt.Errorf("reading ServiceAccount %s: %w", key, err)
	}
	return nil
}
