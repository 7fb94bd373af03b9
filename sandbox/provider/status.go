package provider

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// States of a sandbox.
const (
	StateUp       = "up"       // everything answers
	StateDegraded = "degraded" // the cluster exists, but a component is not ready; up repairs it
	StateDown     = "down"     // there is no cluster
)

// Status is the present state of a sandbox. `sandbox status -o json` prints it; docs/status.md
// describes it. New versions add fields, but do not rename or remove any.
type Status struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Message string `json:"message,omitempty"` // why the state is not up
	// Busy is the command that changes the sandbox at the moment. Components can be stopped meanwhile.
	Busy    string `json:"busy,omitempty"`
	Cluster string `json:"cluster,omitempty"` // kind, embedded or existing
	// Context and Server identify an existing cluster.
	Context string `json:"context,omitempty"`
	Server  string `json:"server,omitempty"`
	// JaegerEndpoint and JaegerQuery are the addresses of a Jaeger of the user.
	JaegerEndpoint string `json:"jaegerEndpoint,omitempty"`
	JaegerQuery    string `json:"jaegerQuery,omitempty"`
	Provider       string `json:"provider,omitempty"`
	Images         string `json:"images,omitempty"` // registry, source or bundle
	Kubeconfig     string `json:"kubeconfig,omitempty"`
	// OperatorEnv are the operator's variables of the last up, as NAME=VALUE. An up without them changes
	// the operator.
	OperatorEnv []string `json:"operatorEnv,omitempty"`
	// ControlPlaneTracing is true if kube-apiserver and etcd take part in the traces.
	ControlPlaneTracing bool        `json:"controlPlaneTracing,omitempty"`
	Node                *NodeStatus `json:"node,omitempty"`
	Jaeger              Addresses   `json:"jaeger,omitempty"`
	Components          []Component `json:"components,omitempty"`
	// Notices are problems that concern no component: Pods without room, and failures of webhooks that
	// the API server ignored.
	Notices []string `json:"notices,omitempty"`
}

// NodeStatus describes the node of the cluster.
type NodeStatus struct {
	Image string `json:"image"`
	// Digest is the digest of the configuration of the image that the container runs; empty for a
	// simulated node.
	Digest     string     `json:"digest,omitempty"`
	Kubernetes string     `json:"kubernetes"`
	Runtime    string     `json:"runtime"`
	OS         string     `json:"os"`
	Since      *time.Time `json:"since,omitempty"` // when it was started
}

// Addresses are the addresses of ports on this machine, by their names in the table: URLs, or
// host:port.
type Addresses map[string]string

// Component is the state of one component.
type Component struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Image   string `json:"image,omitempty"` // names of the images, separated by spaces
	// Digest identifies the running images or programs, separated by spaces: on kind the digests of the
	// node's runtime, on an embedded cluster the keys of the programs, which are hashes of their sources.
	Digest string `json:"digest,omitempty"`
	Ready  bool   `json:"ready"`
	// Since is the start of the youngest container or process, or the creation of the sample and of a
	// simulated node.
	Since    *time.Time `json:"since,omitempty"`
	Restarts int        `json:"restarts,omitempty"` // of its containers
	Message  string     `json:"message,omitempty"`  // why it is not ready
	// Processes are the processes of a component of an embedded cluster.
	Processes []Process `json:"processes,omitempty"`
}

// Process is one process of an embedded cluster.
type Process struct {
	Name  string     `json:"name"`
	PID   int        `json:"pid,omitempty"` // 0 if it is not running
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

// Repairs returns the remedy for a sandbox with a broken component.
func Repairs() string { return "; " + hint.Run("up") + " repairs it" }

// Remedy returns the remedy for a state that is not up: to wait for the command that changes the
// sandbox, or else [Repairs].
func (s *Status) Remedy() string {
	if s.Busy == "" {
		return Repairs()
	}
	return "; " + hint.Run(strings.Fields(s.Busy)...) + " is in progress and changes the sandbox: wait until it ends"
}

// AskLimit limits the time of the requests about one component: status must report a cluster that
// hangs. Thirty commands at the same time on two cores take half of it.
const AskLimit = 15 * time.Second

// Ask asks for all components at the same time, each for at most [AskLimit], so that a component that
// hangs does not take the time of the others. ask is called by several goroutines.
func (s *Status) Ask(ctx context.Context, parts []component.Component, ask func(context.Context, component.Component) Component) {
	s.Components = make([]Component, len(parts))
	var asking sync.WaitGroup
	for i, part := range parts {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, AskLimit)
			defer cancel()
			shown := ask(ctx, part)
			if !shown.Ready && ctx.Err() != nil {
				shown.Message = fmt.Sprintf("no answer within %s; it hangs, or this machine is overloaded: %s", AskLimit, shown.Message)
			}
			s.Components[i] = shown
		})
	}
	asking.Wait()
}

// Judge sets the state of a cluster that answers, from its components.
func (s *Status) Judge() {
	var missing []string
	for _, c := range s.Components {
		if !c.Ready && !component.Named(c.Name).Optional {
			missing = append(missing, c.Name)
		}
	}
	s.State = StateUp
	if len(missing) > 0 {
		s.State = StateDegraded
		s.Message = "not ready: " + strings.Join(missing, ", ") + s.Remedy()
	}
}

// Notice adds the notices of a cluster that answers; see [workload.Notices].
func (s *Status) Notice(ctx context.Context, target *apply.Cluster, before map[string]int) {
	var err error
	if s.Notices, err = workload.Notices(ctx, target, before); err != nil {
		s.Notices = append(s.Notices, err.Error())
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
