package provider

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// States of a sandbox.
const (
	StateUp       = "up"       // everything answers
	StateDegraded = "degraded" // the cluster is there, something in it is not; up mends it
	StateDown     = "down"     // there is no cluster
)

// Status is what a sandbox is like now. Its JSON form is what `sandbox status -o json` prints; docs/status.md describes it.
// Fields are added to it, and none is renamed or taken away.
type Status struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Message string `json:"message,omitempty"` // why the state is not up
	Cluster string `json:"cluster,omitempty"` // kind, embedded or existing
	// Context and Server are those of an existing cluster.
	Context string `json:"context,omitempty"`
	Server  string `json:"server,omitempty"`
	// JaegerEndpoint and JaegerQuery are a Jaeger's of the user's.
	JaegerEndpoint string `json:"jaegerEndpoint,omitempty"`
	JaegerQuery    string `json:"jaegerQuery,omitempty"`
	Provider       string `json:"provider,omitempty"`
	Images         string `json:"images,omitempty"` // registry, source or bundle
	Kubeconfig     string `json:"kubeconfig,omitempty"`
	// OperatorEnv are the variables that the last up was given for the operator, as NAME=VALUE: an up that is to change
	// nothing must be given them again.
	OperatorEnv []string `json:"operatorEnv,omitempty"`
	// ControlPlaneTracing tells whether kube-apiserver and etcd take part in the traces.
	ControlPlaneTracing bool        `json:"controlPlaneTracing,omitempty"`
	Node                *NodeStatus `json:"node,omitempty"`
	Jaeger              Addresses   `json:"jaeger,omitempty"`
	Components          []Component `json:"components,omitempty"`
}

// NodeStatus is what the cluster's node says of itself.
type NodeStatus struct {
	Image string `json:"image"`
	// Digest is that of the configuration of the image that its container really runs; empty for a node that is played.
	Digest     string     `json:"digest,omitempty"`
	Kubernetes string     `json:"kubernetes"`
	Runtime    string     `json:"runtime"`
	OS         string     `json:"os"`
	Since      *time.Time `json:"since,omitempty"` // when it was started
}

// Addresses are how this machine reaches ports, by their names in the table: URLs, or host:port.
type Addresses map[string]string

// Component is one thing that the sandbox installed.
type Component struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Image   string `json:"image,omitempty"` // names of the images, with spaces between
	// Digest is what really runs, with spaces between where that is several: on kind what the node's runtime calls the images,
	// on an embedded cluster the keys of the programs, hashes of all that they were built from.
	Digest string `json:"digest,omitempty"`
	Ready  bool   `json:"ready"`
	// Since is when it was started, the youngest of its containers or processes; the sample and a node that is played are
	// as old as their objects.
	Since    *time.Time `json:"since,omitempty"`
	Restarts int        `json:"restarts,omitempty"` // of its containers
	Message  string     `json:"message,omitempty"`  // why it is not ready
	// Processes are those of a component of an embedded cluster.
	Processes []Process `json:"processes,omitempty"`
}

// Process is one process of an embedded cluster.
type Process struct {
	Name  string     `json:"name"`
	PID   int        `json:"pid,omitempty"` // none where it does not run
	Since *time.Time `json:"since,omitempty"`
	Log   string     `json:"log"` // path
}

// AddressesOf returns the addresses of ports of this machine.
func AddressesOf(ports component.Ports) Addresses {
	addresses := Addresses{}
	for _, p := range component.AllPorts() {
		if address := p.Address(ports[p.Name]); address != "" {
			addresses[p.Name] = address
		}
	}
	return addresses
}

// Repairs is the remedy for a sandbox with a broken component.
const Repairs = "; `make sandbox-up` repairs it"

// AskLimit limits the time of all requests of Status: status must report a cluster that hangs.
const AskLimit = 5 * time.Second

// Judge sets the state of a cluster that answers, from its components.
func (s *Status) Judge() {
	var missing []string
	for _, c := range s.Components {
		if part, _ := component.Named(c.Name); !c.Ready && !part.Optional {
			missing = append(missing, c.Name)
		}
	}
	s.State = StateUp
	if len(missing) > 0 {
		s.State = StateDegraded
		s.Message = "not ready: " + strings.Join(missing, ", ") + Repairs
	}
}

// NodeOf asks the API server for the node.
func NodeOf(ctx context.Context, target *apply.Cluster, image string) (*NodeStatus, error) {
	nodes := &corev1.NodeList{}
	if err := target.Client().List(ctx, nodes); err != nil {
		return nil, fmt.Errorf("asking the cluster for its node: %w", err)
	}
	if len(nodes.Items) == 0 {
		return nil, fmt.Errorf("asking the cluster for its node: it has none")
	}
	info := nodes.Items[0].Status.NodeInfo
	since := nodes.Items[0].CreationTimestamp.Time
	return &NodeStatus{Image: image, Kubernetes: info.KubeletVersion, Runtime: info.ContainerRuntimeVersion, OS: info.OSImage, Since: &since}, nil
}
