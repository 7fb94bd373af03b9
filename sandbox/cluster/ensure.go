package cluster

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/poll"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// createTimeout limits the creation of a cluster by kind, which takes no context.
const createTimeout = 5 * time.Minute

// Outcome is the result of Ensure.
type Outcome string

// The results of Ensure.
const (
	Created   Outcome = "created"
	Adopted   Outcome = "already up"
	Restarted Outcome = "restarted"
	Remade    Outcome = "recreated"
)

// Spec is the desired cluster.
type Spec struct {
	// Node describes the node.
	Node Node
	// Ports are the ports that the user requested; see port.Choose. Other ports are chosen freely.
	Ports component.Ports
	// Release, if not nil, is called before ports are chosen. It ends processes of the sandbox that
	// listen on its ports.
	Release func(context.Context) error
}

// Ensure makes the cluster run as described by spec. It creates a missing cluster, keeps a working
// one and restarts a stopped one. It recreates a cluster that does not restart, was only partly
// created, or has other settings. It saves record after each change. When ctx ends, the next Ensure
// or Delete can handle the remains. When it returns nil, AwaitNode and AwaitAPIServer return too.
func (c *Cluster) Ensure(ctx context.Context, spec Spec, record *state.Record, report Report) (Outcome, error) {
	c.log.report = report
	found, err := c.look(ctx)
	if err != nil {
		return "", err
	}
	switch found {
	case foreign:
		return "", &ForeignError{Name: c.name, Engine: c.engine.Name}
	case absent:
		return Created, c.create(ctx, spec, record)
	}
	if same, err := c.asRecorded(spec, *record); err != nil {
		return "", err
	} else if same {
		outcome, err := c.revive(ctx, report)
		if err == nil {
			c.allReached()
		}
		if err == nil || ctx.Err() != nil {
			return outcome, err
		}
		report.Say("restarting the node failed (%v): recreating it", err)
	}
	if err := c.Delete(ctx); err != nil {
		return "", err
	}
	return Remade, c.create(ctx, spec, record)
}

// asRecorded reports whether the recorded cluster is complete and has the settings of spec.
func (c *Cluster) asRecorded(spec Spec, record state.Record) (bool, error) {
	if record.Creating || !spec.Ports.SatisfiedBy(record.Ports) {
		return false, nil
	}
	hash, err := hashConfig(kindConfig(c.name, spec.Node, *c.engine.Host, mapped(record), c.dir), spec.Node)
	return hash == record.ConfigHash, err
}

// mapped returns the ports of 127.0.0.1 that kind maps to the node. The gate of Jaeger's page
// listens on the user's port; a node of an old version has no gate.
func mapped(record state.Record) component.Ports {
	if page := record.ComponentPorts[component.JaegerPage]; page != 0 {
		return record.Ports.With(component.UI, page)
	}
	return record.Ports
}

// create creates a missing cluster. It chooses the ports at this point: another program may have
// taken the ports of a killed node, and the ports of a deleted node are free again.
func (c *Cluster) create(ctx context.Context, spec Spec, record *state.Record) error {
	if spec.Release != nil {
		if err := spec.Release(ctx); err != nil {
			return err
		}
	}
	ports, err := port.Choose(ctx, component.AllPorts(), spec.Ports)
	if err != nil {
		return err
	}
	page, err := port.Unused(ctx, ports)
	if err != nil {
		return err
	}
	record.Ports, record.ComponentPorts = ports, component.Ports{component.JaegerPage: page}
	config := kindConfig(c.name, spec.Node, *c.engine.Host, mapped(*record), c.dir)
	hash, err := hashConfig(config, spec.Node)
	if err != nil {
		return err
	}
	record.Name, record.Cluster = c.name, component.Kind
	record.Provider, record.ContainersConf = c.engine.Name, c.engine.ContainersConf
	record.NodeImage, record.ConfigHash, record.Creating = spec.Node.Image, hash, true
	if err := c.dir.Save(*record); err != nil {
		return err
	}
	if err := writeTracingFiles(spec.Node, c.dir); err != nil {
		return err
	}
	if err := c.runKind(ctx, cluster.CreateWithV1Alpha4Config(config)); err != nil {
		return err
	}
	record.Creating = false
	return c.dir.Save(*record)
}

// revive makes the sandbox's own node answer again without recreating it.
func (c *Cluster) revive(ctx context.Context, report Report) (Outcome, error) {
	if _, err := os.Stat(c.dir.Kubeconfig()); err != nil {
		if err := c.exportKubeconfig(); err != nil {
			report.Say("exporting the kubeconfig: %v", err)
		}
	}
	if err := c.Alive(ctx); err == nil {
		return Adopted, nil
	}
	report.Say("the node does not answer: restarting it")
	restarted := time.Now()
	if _, err := c.engine.Run(ctx, engine.Timeout, nil, "restart", "--time=5", c.node()); err != nil {
		return "", err
	}
	// If the engine did not notice that the node was killed, the restart returns no error but the
	// node stays dead.
	err := poll.Within(ctx, pollEvery, execTimeout, func(ctx context.Context) error {
		_, err := c.engine.Run(ctx, execTimeout, nil, "exec", c.node(), "true")
		return err
	})
	if err != nil {
		return "", err
	}
	if err := c.exportKubeconfig(); err != nil {
		return "", err
	}
	if err := c.waitReady(ctx, readyTimeout); err != nil {
		return "", err
	}
	return Restarted, c.waitForStatus(ctx, restarted)
}

func (c *Cluster) allReached() {
	c.nodeRuns.reach()
	c.apiServes.reach()
}

// exportKubeconfig writes the kubeconfig of the sandbox. An existing lock file is a leftover: kind
// creates it with O_EXCL, and a killed command does not delete it. The caller holds the lock of the
// sandbox, so no other command is using it.
func (c *Cluster) exportKubeconfig() error {
	_ = os.Remove(c.dir.Kubeconfig() + ".lock")
	if err := c.provider.ExportKubeConfig(c.name, c.dir.Kubeconfig(), false); err != nil {
		return fmt.Errorf("exporting the kubeconfig of cluster %s: %w", c.name, err)
	}
	return nil
}

// runKind creates the cluster with kind, which takes no context. If ctx ends first, it deletes the
// node, so that kind's next command fails, and waits for kind to return.
func (c *Cluster) runKind(ctx context.Context, config cluster.CreateOption) error {
	_ = os.Remove(c.dir.Kubeconfig() + ".lock") // See exportKubeconfig.
	if err := ensureModulesFolder(); err != nil {
		return err
	}
	for path, content := range map[string]string{c.dir.Owner(): "created by the operator-tracing sandbox\n", c.dir.Scheduler(): schedulerConfig} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return fmt.Errorf("writing a file that the node mounts: %w", state.Remedy(err))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- c.provider.Create(c.name, config,
			cluster.CreateWithKubeconfigPath(c.dir.Kubeconfig()),
			cluster.CreateWithRetain(true), // Keep a failed node for its logs.
			cluster.CreateWithDisplayUsage(false), cluster.CreateWithDisplaySalutation(false))
	}()
	var watcher sync.WaitGroup
	defer watcher.Wait()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watcher.Go(func() { c.watch(watching) })
	select {
	case err := <-done:
		if err != nil {
			return c.failed(ctx, err)
		}
		if err := c.waitReady(ctx, readyTimeout); err != nil {
			return err
		}
		c.allReached()
		return nil
	case <-ctx.Done():
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), engine.Timeout)
		defer cancel()
		removed := c.Delete(cleanup)
		select {
		case <-done: //nolint:errcheck // it failed because its node was deleted
		case <-cleanup.Done():
		}
		if removed != nil {
			return fmt.Errorf("creating cluster %s: %w; then %w", c.name, ctx.Err(), removed)
		}
		return fmt.Errorf("creating cluster %s: %w", c.name, ctx.Err())
	}
}

// ensureModulesFolder creates the folder that kind mounts into every node, if the kernel was
// installed without it, as in a small virtual machine. An engine on another machine has its own
// folder.
func ensureModulesFolder() error {
	const folder = "/lib/modules"
	if runtime.GOOS != "linux" {
		return nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("creating %s, which kind mounts into the node: %w; run `mkdir %s` as root", folder, err, folder)
	}
	return nil
}
