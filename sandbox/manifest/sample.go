package manifest

import (
	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// Sample renders the objects that demonstrate the operator. The component is ready when each of its
// custom resources has the subject's condition for its current generation. Sample does not change
// the subject.
func Sample(s project.Subject) *Component {
	return newComponent(component.Sample, "", copies(s.Samples))
}

// Node renders the node of a cluster without a kubelet, and the permissions of kwok, which
// simulates it. The component is ready when the node is and Pods can be created: kwok has updated
// the node, and kube-controller-manager has created the default ServiceAccount.
func Node() (*Component, error) {
	objects, err := config.Build("node", "")
	if err != nil {
		return nil, err
	}
	return newComponent(component.Node, "", objects), nil
}
