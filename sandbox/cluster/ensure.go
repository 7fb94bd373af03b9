package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/kind/pkg/cluster"
	kindexec "sigs.k8s.io/kind/pkg/exec"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// createTimeout bounds kind's creation of a cluster, whose own call knows no context.
const createTimeout = 5 * time.Minute

// Outcome says what Ensure did.
type Outcome string

// What Ensure may have done.
const (
	Created   Outcome = "created"
	Adopted   Outcome = "already up"
	Restarted Outcome = "restarted"
	Remade    Outcome = "made anew"
)

// Wanted is the cluster that Ensure is to make or find.
type Wanted struct {
	// Node is what it runs.
	Node Node
	// Ports are those that the user asked for, see port.Choose; the others may be any.
	Ports component.Ports
	// OnNode, if not nil, is called when the node that will stay takes images. A node that is made takes them before it has an
	// API server.
	OnNode func()
	// OnAPIServer, if not nil, is called when the API server takes the administrator's requests, and [Cluster.RESTConfig] leads to
	// it. A cluster that is made gets there before it is whole. It comes after OnNode; both come before Ensure returns without an
	// error, perhaps from another goroutine, and not at all where Ensure fails.
	OnAPIServer func()
}

// Ensure makes sure that the cluster runs as wanted: it makes a missing one, keeps one that works, restarts one that was
// stopped, and makes anew one that can't be restarted, was left half-made, or has other settings. It saves record as it
// goes. On ctx's end nothing is left that the next Ensure or Delete can't handle.
func (c *Cluster) Ensure(ctx context.Context, wanted Wanted, record *state.Record, report Report) (Outcome, error) {
	c.log.report = report
	reached := wanted.milestones()
	found, err := c.look(ctx)
	if err != nil {
		return "", err
	}
	switch found {
	case foreign:
		return "", &ForeignError{Name: c.name, Engine: c.engine.Name}
	case absent:
		return Created, c.make(ctx, wanted, record, reached)
	}
	if same, err := c.asRecorded(wanted, *record); err != nil {
		return "", err
	} else if same {
		outcome, err := c.revive(ctx, report)
		if err == nil {
			reached.all()
		}
		if err == nil || ctx.Err() != nil {
			return outcome, err
		}
		report.say("the node can't be revived (%v): making it anew", err)
	}
	if err := c.Delete(ctx); err != nil {
		return "", err
	}
	return Remade, c.make(ctx, wanted, record, reached)
}

// asRecorded tells whether the cluster on record was made whole, and as wanted now.
func (c *Cluster) asRecorded(wanted Wanted, record state.Record) (bool, error) {
	if record.Creating || !wanted.Ports.SatisfiedBy(record.Ports) {
		return false, nil
	}
	hash, err := hashConfig(kindConfig(c.name, wanted.Node, *c.engine.Host, record.Ports, c.dir), wanted.Node)
	return hash == record.ConfigHash, err
}

// make makes a cluster where there is none. Ports are chosen only now: those of a node that was killed may have been taken
// since, and those of a node that is being made anew are free again.
func (c *Cluster) make(ctx context.Context, wanted Wanted, record *state.Record, reached milestones) error {
	ports, err := port.Choose(ctx, component.AllPorts(), wanted.Ports)
	if err != nil {
		return err
	}
	config := kindConfig(c.name, wanted.Node, *c.engine.Host, ports, c.dir)
	hash, err := hashConfig(config, wanted.Node)
	if err != nil {
		return err
	}
	record.Name, record.Cluster = c.name, component.Kind
	record.Provider, record.ContainersConf = c.engine.Name, c.engine.ContainersConf
	record.NodeImage, record.ConfigHash, record.Ports, record.Creating = wanted.Node.Image, hash, ports, true
	if err := c.dir.Save(*record); err != nil {
		return err
	}
	if err := writeTracingFiles(wanted.Node, c.dir); err != nil {
		return err
	}
	if err := c.create(ctx, cluster.CreateWithV1Alpha4Config(config), reached); err != nil {
		return err
	}
	record.Creating = false
	return c.dir.Save(*record)
}

// revive makes an own node answer again without making it anew.
func (c *Cluster) revive(ctx context.Context, report Report) (Outcome, error) {
	if _, err := os.Stat(c.dir.Kubeconfig()); err != nil {
		if err := c.exportKubeconfig(); err != nil {
			report.say("exporting the kubeconfig: %v", err)
		}
	}
	if err := c.Alive(ctx); err == nil {
		return Adopted, nil
	}
	report.say("the node does not answer: restarting it")
	restarted := time.Now()
	if _, err := c.engine.run(ctx, engineTimeout, nil, "restart", "--time=5", c.node()); err != nil {
		return "", err
	}
	// A node that the engine believes to run, though it was killed, "restarts" without an error and stays dead.
	if err := c.waitExec(ctx, execTimeout); err != nil {
		return "", err
	}
	if err := c.exportKubeconfig(); err != nil {
		return "", err
	}
	if err := c.waitReady(ctx, readyTimeout); err != nil {
		return "", err
	}
	return Restarted, c.waitForNews(ctx, restarted)
}

func (c *Cluster) waitExec(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		_, err := c.engine.run(ctx, timeout, nil, "exec", c.node(), "true")
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pollEvery):
		}
	}
}

// exportKubeconfig writes the sandbox's kubeconfig. A lock file beside it is a leftover: kind makes one with O_EXCL and
// a killed command leaves it, while the sandbox's own lock, which is held here, keeps other commands away.
func (c *Cluster) exportKubeconfig() error {
	_ = os.Remove(c.dir.Kubeconfig() + ".lock")
	if err := c.provider.ExportKubeConfig(c.name, c.dir.Kubeconfig(), false); err != nil {
		return fmt.Errorf("exporting the kubeconfig of cluster %s: %w", c.name, err)
	}
	return nil
}

// create runs kind, which knows no context: when ctx ends first, the node is removed under it, so that its next command
// fails, and its failure is waited for.
func (c *Cluster) create(ctx context.Context, config cluster.CreateOption, reached milestones) error {
	_ = os.Remove(c.dir.Kubeconfig() + ".lock") // See exportKubeconfig.
	if err := ensureModulesFolder(); err != nil {
		return err
	}
	for path, content := range map[string]string{c.dir.Owner(): "made by the operator-tracing sandbox\n", c.dir.Scheduler(): schedulerConfig} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return fmt.Errorf("writing what the node mounts: %w", state.Remedy(err))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- c.provider.Create(c.name, config,
			cluster.CreateWithKubeconfigPath(c.dir.Kubeconfig()),
			cluster.CreateWithRetain(true), // The logs of a failed node are worth more than a clean slate.
			cluster.CreateWithDisplayUsage(false), cluster.CreateWithDisplaySalutation(false))
	}()
	var watcher sync.WaitGroup
	defer watcher.Wait()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watcher.Go(func() { c.watch(watching, reached) })
	select {
	case err := <-done:
		if err != nil {
			return c.failed(ctx, err)
		}
		if err := c.waitReady(ctx, readyTimeout); err != nil {
			return err
		}
		reached.all()
		return nil
	case <-ctx.Done():
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
		defer cancel()
		removed := c.Delete(cleanup)
		select {
		case <-done: //nolint:errcheck // it failed because its node went
		case <-cleanup.Done():
		}
		if removed != nil {
			return fmt.Errorf("creating cluster %s: %w; then %w", c.name, ctx.Err(), removed)
		}
		return fmt.Errorf("creating cluster %s: %w", c.name, ctx.Err())
	}
}

// ensureModulesFolder makes the folder that kind mounts into every node, where the kernel was installed without it, as in
// a small virtual machine. Engines that run elsewhere have their own.
func ensureModulesFolder() error {
	const folder = "/lib/modules"
	if runtime.GOOS != "linux" {
		return nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("making %s, which kind mounts into the node: %w; run `mkdir %s` as root", folder, err, folder)
	}
	return nil
}

// failed explains why kind could not create the cluster, keeps its logs, and removes what it left.
func (c *Cluster) failed(ctx context.Context, err error) error {
	reason := err
	if run := kindexec.RunErrorForError(err); run != nil && len(run.Output) > 0 {
		reason = errors.New(lastLine(string(run.Output))) // The command itself is a screenful of flags.
	}
	logs := c.dir.KindLogs()
	_ = c.CollectLogs(logs) // kind collects what it can and complains of the rest: a node that never ran has little.
	if removed := c.Delete(ctx); removed != nil {
		reason = fmt.Errorf("%w; then %w", reason, removed)
	}
	return fmt.Errorf("creating cluster %s: %w; the node's logs are in %s", c.name, reason, logs)
}

// Delete removes the node, its volumes, the network and the kubeconfig. A cluster that is not there is no error; one
// that the sandbox did not make is a *ForeignError and stays.
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
			return fmt.Errorf("removing the kubeconfig of cluster %s: %w", c.name, err)
		}
	}
	return nil
}

// removeNode removes the node's container, several times if it must: of a container whose monitor was killed, podman
// removes only the process at the first try and says it failed.
func (c *Cluster) removeNode(ctx context.Context) error {
	var last error
	for range 3 {
		// Killed first: what is thrown away needs no ten seconds to end in order. A node that does not run can't be killed.
		_, _ = c.engine.run(ctx, engineTimeout, nil, "kill", c.node())
		_, last = c.engine.run(ctx, engineTimeout, nil, "rm", "--force", "--volumes", c.node())
		found, err := c.look(ctx)
		if err == nil && found == absent {
			return nil
		}
		if last == nil {
			last = err
		}
	}
	return fmt.Errorf("removing node %s: %w; remove it with `%s rm -f -v %s`", c.node(), last, c.engine.Name, c.node())
}

// removeVolumes removes podman's volumes of the node, which kind labels with the node's name: they outlive a node that
// was not removed by kind. Docker's are anonymous and went with the container.
func (c *Cluster) removeVolumes(ctx context.Context) error {
	if c.engine.Name != "podman" {
		return nil
	}
	out, err := c.engine.run(ctx, engineTimeout, nil, "volume", "ls", "--quiet", "--filter", "label="+c.node())
	if err != nil {
		return fmt.Errorf("listing the volumes of node %s: %w", c.node(), err)
	}
	for volume := range strings.FieldsSeq(out) {
		if _, err := c.engine.run(ctx, engineTimeout, nil, "volume", "rm", "--force", volume); err != nil {
			return fmt.Errorf("removing a volume of node %s: %w", c.node(), err)
		}
	}
	return nil
}

// removeNetwork removes the cluster's network, if nothing else uses it. One that stays does no harm: kind takes it again.
func (c *Cluster) removeNetwork(ctx context.Context) {
	_, _ = c.engine.run(ctx, engineTimeout, nil, "network", "rm", c.name)
}

// withCodec completes a configuration for a client that asks for paths, not for kinds.
func withCodec(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	return config
}
