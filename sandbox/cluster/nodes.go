package cluster

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Nodes are the containers of a kind cluster that somebody else made. They are given images, and nothing else is done to them.
type Nodes struct {
	// Engine has them.
	Engine *Engine
	// Names are the containers', each a node's name too.
	Names []string
}

// FindNodes finds the nodes of the kind cluster called name in the engines that answer. It is nil where none has such a cluster.
func FindNodes(ctx context.Context, name string) (*Nodes, error) {
	for _, engine := range Answering(ctx) {
		nodes := &Nodes{Engine: engine}
		for _, role := range []string{"control-plane", "worker"} { // The others balance the load of several control planes.
			out, err := engine.run(ctx, engineTimeout, nil, "ps", "--filter", "label=io.x-k8s.kind.cluster="+name,
				"--filter", "label=io.x-k8s.kind.role="+role, "--format", "{{.Names}}")
			if err != nil {
				return nil, fmt.Errorf("looking for the nodes of the kind cluster %s: %w", name, err)
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

// Import streams the images of an archive into every node that lacks one of the names, and returns how many nodes that were.
func (n *Nodes) Import(ctx context.Context, names []string, write Archiver) (int, error) {
	given := 0
	for _, node := range n.Names {
		have, err := n.Engine.imagesOf(ctx, node)
		if err != nil {
			return given, err
		}
		if !slices.ContainsFunc(names, func(name string) bool { return !have[name] }) {
			continue
		}
		if err := n.Engine.importInto(ctx, node, write); err != nil {
			return given, err
		}
		given++
	}
	return given, nil
}

// imagesOf gives the names of the images that a node has.
func (e *Engine) imagesOf(ctx context.Context, node string) (map[string]bool, error) {
	out, err := e.run(ctx, engineTimeout, nil, "exec", node, "ctr", "--namespace=k8s.io", "images", "list", "--quiet")
	if err != nil {
		return nil, fmt.Errorf("listing the images of node %s: %w", node, err)
	}
	have := map[string]bool{}
	for name := range strings.FieldsSeq(out) {
		have[name] = true
	}
	return have, nil
}

// importInto streams an image archive into a node, whose containerd must run.
func (e *Engine) importInto(ctx context.Context, node string, write Archiver) error {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(write(writer)) }()
	defer reader.Close()
	// --local: through containerd's transfer service, the archive's bytes take twice as long.
	_, err := e.run(ctx, loadTimeout, reader, "exec", "--interactive", node, "ctr", "--namespace=k8s.io", "images", "import", "--local", "-")
	if err != nil {
		return fmt.Errorf("importing images into node %s: %w", node, err)
	}
	return nil
}
