package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	kindexec "sigs.k8s.io/kind/pkg/exec"

	"github.com/operator-tracing/sandbox/sandbox/engine"
)

// failed returns the error of a failed creation. It saves the logs of the node and deletes the
// remains.
func (c *Cluster) failed(ctx context.Context, err error) error {
	reason := err
	if run := kindexec.RunErrorForError(err); run != nil && len(run.Output) > 0 {
		reason = errors.New(engine.LastLine(string(run.Output))) // The command line is too long for a message.
	}
	logs := c.dir.KindLogs()
	_ = c.CollectLogs(logs) // kind collects the logs that exist, and returns errors for the others.
	if removed := c.Delete(ctx); removed != nil {
		reason = fmt.Errorf("%w; then %w", reason, removed)
	}
	return fmt.Errorf("creating cluster %s: %w; the logs of the node are in %s", c.name, reason, logs)
}

// Delete deletes the node, its volumes, the network and the kubeconfig. It returns nil if there is
// no cluster. It returns a
// *ForeignError if the sandbox did not create the cluster, and keeps it.
func (c *Cluster) Delete(ctx context.Context) error {
	found, err := c.look(ctx)
	if err != nil {
		return err
	}
	if found == foreign {
		return &ForeignError{Name: c.name, Engine: c.engine.Name}
	}
	if found == own {
		if err := c.removeNode(ctx); err != nil {
			return err
		}
	}
	if err := c.removeVolumes(ctx); err != nil {
		return err
	}
	c.removeNetwork(ctx)
	for _, file := range []string{c.dir.Kubeconfig(), c.dir.Kubeconfig() + ".lock"} {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("deleting the kubeconfig of cluster %s: %w", c.name, err)
		}
	}
	return nil
}

// removeNode deletes the node's container, with retries: if the monitor of a container was killed,
// podman's first attempt only removes the process and fails.
func (c *Cluster) removeNode(ctx context.Context) error {
	var last error
	for range 3 {
		// The kill saves the ten seconds of an orderly stop. It fails if the node is not running.
		_, _ = c.engine.Run(ctx, engine.Timeout, nil, "kill", c.node())
		_, last = c.engine.Run(ctx, engine.Timeout, nil, "rm", "--force", "--volumes", c.node())
		found, err := c.look(ctx)
		if err == nil && found == absent {
			return nil
		}
		if last == nil {
			last = err
		}
	}
	return fmt.Errorf("deleting node %s: %w; delete it with `%s rm -f -v %s`", c.node(), last, c.engine.Name, c.node())
}

// removeVolumes deletes podman's volumes of the node, which kind labels with the name of the node.
// They remain if the node was not deleted by kind. Docker's volumes are anonymous, and are deleted
// with the container.
func (c *Cluster) removeVolumes(ctx context.Context) error {
	if c.engine.Name != "podman" {
		return nil
	}
	out, err := c.engine.Run(ctx, engine.Timeout, nil, "volume", "ls", "--quiet", "--filter", "label="+c.node())
	if err != nil {
		return fmt.Errorf("listing the volumes of node %s: %w", c.node(), err)
	}
	for volume := range strings.FieldsSeq(out) {
		if _, err := c.engine.Run(ctx, engine.Timeout, nil, "volume", "rm", "--force", volume); err != nil {
			return fmt.Errorf("deleting a volume of node %s: %w", c.node(), err)
		}
	}
	return nil
}

// removeNetwork deletes the network of the cluster if it is unused. A remaining network is
// harmless: kind uses it again.
func (c *Cluster) removeNetwork(ctx context.Context) {
	_, _ = c.engine.Run(ctx, engine.Timeout, nil, "network", "rm", c.name)
}
