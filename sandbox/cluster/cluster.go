package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Report is told what a long job is at, in a few words. It may be nil.
type Report func(format string, args ...any)

func (r Report) say(format string, args ...any) {
	if r != nil {
		r(format, args...)
	}
}

// Cluster is one kind cluster of one node on an engine. Methods that change it need the sandbox's lock.
type Cluster struct {
	engine   *Engine
	name     string
	dir      state.Dir
	provider *cluster.Provider
	log      *kindLogger
	early    atomic.Pointer[rest.Config] // the way to an API server whose kubeconfig kind has not written yet
}

// New returns the cluster called name; whether it exists is not looked at. dir is the sandbox's folder.
func New(engine *Engine, name string, dir state.Dir) (*Cluster, error) {
	if err := engine.Use(); err != nil {
		return nil, err
	}
	option := cluster.ProviderWithDocker()
	switch engine.Name {
	case "podman":
		option = cluster.ProviderWithPodman()
	case "nerdctl":
		option = cluster.ProviderWithNerdctl("nerdctl")
	}
	// A network of its own can be removed with the cluster; kind's default one may be shared with other clusters.
	for _, variable := range []string{"KIND_EXPERIMENTAL_DOCKER_NETWORK", "KIND_EXPERIMENTAL_PODMAN_NETWORK"} {
		if err := os.Setenv(variable, name); err != nil {
			return nil, fmt.Errorf("naming the cluster's network: %w", err)
		}
	}
	logger := &kindLogger{}
	return &Cluster{
		engine: engine, name: name, dir: dir, log: logger,
		provider: cluster.NewProvider(option, cluster.ProviderWithLogger(logger)),
	}, nil
}

// node is the name of the node's container.
func (c *Cluster) node() string { return c.name + "-control-plane" }

// presence is what the engine has under the cluster's name.
type presence int

const (
	absent  presence = iota
	foreign          // made by another program, or by another sandbox
	own
)

// look finds out whether the cluster's node exists and whose it is.
func (c *Cluster) look(ctx context.Context) (presence, error) {
	out, err := c.engine.run(ctx, engineTimeout, nil, "ps", "--all", "--filter", "label=io.x-k8s.kind.cluster="+c.name, "--format", "{{.Names}}")
	if err != nil {
		return absent, fmt.Errorf("looking for cluster %s: %w", c.name, err)
	}
	names := strings.Fields(out)
	switch {
	case len(names) == 0:
		return absent, nil
	case len(names) > 1 || names[0] != c.node():
		return foreign, nil
	}
	mine, err := c.owned(ctx)
	if err != nil || !mine {
		return foreign, err
	}
	return own, nil
}

// owned tells whether the node has this sandbox's owner file mounted.
func (c *Cluster) owned(ctx context.Context) (bool, error) {
	out, err := c.engine.run(ctx, engineTimeout, nil, "inspect", "--type=container", "--format", "{{json .Mounts}}", c.node())
	if err != nil {
		return false, fmt.Errorf("looking whose cluster %s is: %w", c.name, err)
	}
	var mounts []struct{ Source, Destination string }
	if err := json.Unmarshal([]byte(out), &mounts); err != nil {
		return false, fmt.Errorf("looking whose cluster %s is: %w", c.name, err)
	}
	for _, m := range mounts {
		// Engines in a virtual machine put its own prefix before the path.
		if m.Destination == ownerPath && strings.HasSuffix(m.Source, c.dir.Owner()) {
			return true, nil
		}
	}
	return false, nil
}

// ForeignError says that the cluster's name is taken by one that the sandbox did not make.
type ForeignError struct{ Name, Engine string }

// Error names the cluster and what to do.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("a kind cluster called %q exists in %s and this sandbox did not make it: it is left alone;"+
		" choose another name with --name, or delete it with `kind delete cluster --name %s`", e.Name, e.Engine, e.Name)
}

const (
	execTimeout  = 10 * time.Second
	readyTimeout = 90 * time.Second
	pollEvery    = 100 * time.Millisecond
)

// Alive tells whether the node runs commands and its API server says it is ready. It asks these two themselves: after a
// kill of the node and its monitor, an engine's own records are wrong. The error says what did not answer.
func (c *Cluster) Alive(ctx context.Context) error {
	if _, err := c.engine.run(ctx, execTimeout, nil, "exec", c.node(), "true"); err != nil {
		return fmt.Errorf("running a command in node %s: %w", c.node(), err)
	}
	ctx, cancel := context.WithTimeout(ctx, execTimeout)
	defer cancel()
	return c.ready(ctx)
}

// ready asks the API server's /readyz once.
func (c *Cluster) ready(ctx context.Context) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	config.Timeout = execTimeout
	client, err := rest.UnversionedRESTClientFor(withCodec(config))
	if err != nil {
		return fmt.Errorf("asking cluster %s whether it is ready: %w", c.name, err)
	}
	answer, err := client.Get().AbsPath("/readyz").DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("asking cluster %s whether it is ready: %w: %s", c.name, err, lastLine(string(answer)))
	}
	return nil
}

// waitReady polls until the cluster is alive; the error holds the last reason why not.
func (c *Cluster) waitReady(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last error
	for {
		err := c.Alive(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting %s for cluster %s: %w", timeout, c.name, last)
		case <-time.After(pollEvery):
		}
	}
}

// RESTConfig is the way to the cluster's API server as its administrator.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	if early := c.early.Load(); early != nil {
		return rest.CopyConfig(early), nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.dir.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of cluster %s: %w; `make sandbox-up` writes it again", c.name, err)
	}
	return hurried(config), nil
}

// hurried takes a client's brakes off. One client installs everything: the default of five requests a second would be the slowest
// part of it.
func hurried(config *rest.Config) *rest.Config {
	config.QPS, config.Burst = 200, 400
	return config
}

// Images gives the names of the images that the node has.
func (c *Cluster) Images(ctx context.Context) (map[string]bool, error) {
	return c.engine.imagesOf(ctx, c.node())
}

// Import streams an image archive into the node, whose containerd must run: see [Wanted.OnNode].
func (c *Cluster) Import(ctx context.Context, write Archiver) error {
	return c.engine.importInto(ctx, c.node(), write)
}

// CollectLogs writes the logs of kind, the node and its pods into dir, as `kind export logs` does.
func (c *Cluster) CollectLogs(dir string) error {
	if err := c.provider.CollectLogs(c.name, dir); err != nil {
		return fmt.Errorf("collecting the logs of cluster %s: %w", c.name, err)
	}
	return nil
}
