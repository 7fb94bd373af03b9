package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/engine"
)

// Nodes are the containers of a kind cluster that the user created. The sandbox imports images into
// them, and changes nothing else.
type Nodes struct {
	// Engine is the engine of the containers.
	Engine *engine.Engine
	// Names are the names of the containers and of the nodes.
	Names []string
}

// FindNodes returns the nodes of the kind cluster called name in any running engine, or nil if
// there is no such cluster.
func FindNodes(ctx context.Context, name string) (*Nodes, error) {
	for _, running := range engine.RunningEngines(ctx) {
		nodes := &Nodes{Engine: running}
		for _, role := range []string{"control-plane", "worker"} { // Nodes of other roles only balance load.
			out, err := running.Run(ctx, engine.Timeout, nil, "ps", "--filter", "label=io.x-k8s.kind.cluster="+name,
				"--filter", "label=io.x-k8s.kind.role="+role, "--format", "{{.Names}}")
			if err != nil {
				return nil, fmt.Errorf("finding the nodes of the kind cluster %s: %w", name, err)
			}
			nodes.Names = append(nodes.Names, strings.Fields(out)...)
		}
		if len(nodes.Names) > 0 {
			slices.Sort(nodes.Names)
			return nodes, nil
		}
	}
	return nil, nil
}

// Import streams an image archive into every node that lacks one of the names, and returns the
// number of these nodes.
func (n *Nodes) Import(ctx context.Context, names []string, write engine.Archiver) (int, error) {
	imported := 0
	for _, node := range n.Names {
		have, err := n.Engine.NodeImages(ctx, node)
		if err != nil {
			return imported, err
		}
		if !slices.ContainsFunc(names, func(name string) bool { return !have[name] }) {
			continue
		}
		if err := n.Engine.ImportIntoNode(ctx, node, write); err != nil {
			return imported, err
		}
		imported++
	}
	return imported, nil
}
