package cluster

import (
	"context"
	"fmt"
	"io"
)

// Descriptions are the names of what [Cluster.Describe] can tell.
func Descriptions() []string {
	return []string{"version", "info", "container", "inspect", "images"}
}

// Describe writes what the engine says of itself (version, info), of the node (container, inspect), and what images the node
// has. Of other containers it says nothing. What it writes may hold addresses of proxies with passwords.
func (c *Cluster) Describe(ctx context.Context, out io.Writer, what string) error {
	args, known := map[string][]string{
		"version":   {"version"},
		"info":      {"info"},
		"container": {"ps", "--all", "--filter", "label=io.x-k8s.kind.cluster=" + c.name},
		"inspect":   {"inspect", "--type=container", c.node()},
		"images":    {"exec", c.node(), "ctr", "--namespace=k8s.io", "images", "list"},
	}[what]
	if !known {
		return fmt.Errorf("describing cluster %s: there is no %q", c.name, what)
	}
	return c.engine.stream(ctx, out, args...)
}
