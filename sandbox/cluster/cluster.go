package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/poll"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Report receives progress messages of a few words. It may be nil.
type Report = artifact.Report

// Cluster is one kind cluster of one node on an engine. The caller of methods that change it must
// hold the lock of the sandbox.
type Cluster struct {
	engine   *engine.Engine
	name     string
	dir      state.Dir
	provider *cluster.Provider
	log      *kindLogger
	early    atomic.Pointer[rest.Config] // for an API server whose kubeconfig kind has not written yet

	nodeRuns, apiServes milestone
}

// New returns the cluster called name. It does not check whether the cluster exists. dir is the
// folder of the sandbox.
func New(on *engine.Engine, name string, dir state.Dir) (*Cluster, error) {
	if err := on.Use(); err != nil {
		return nil, err
	}
	option := cluster.ProviderWithDocker()
	switch on.Name {
	case "podman":
		option = cluster.ProviderWithPodman()
	case "nerdctl":
		option = cluster.ProviderWithNerdctl("nerdctl")
	}
	// The cluster has its own network, which can be deleted with it. Other clusters may share
	// kind's default network.
	for _, variable := range []string{"KIND_EXPERIMENTAL_DOCKER_NETWORK", "KIND_EXPERIMENTAL_PODMAN_NETWORK"} {
		if err := os.Setenv(variable, name); err != nil {
			return nil, fmt.Errorf("setting the name of the cluster's network: %w", err)
		}
	}
	logger := &kindLogger{}
	return &Cluster{
		engine: on, name: name, dir: dir, log: logger,
		provider: cluster.NewProvider(option, cluster.ProviderWithLogger(logger)),
		nodeRuns: newMilestone(), apiServes: newMilestone(),
	}, nil
}

func (c *Cluster) node() string { return c.name + "-control-plane" }

// presence describes what the engine has under the name of the cluster.
type presence int

const (
	absent  presence = iota
	foreign          // created by another program, or by another sandbox
	own
)

// look reports whether the node of the cluster exists, and whether it belongs to this sandbox.
func (c *Cluster) look(ctx context.Context) (presence, error) {
	out, err := c.engine.Run(ctx, engine.Timeout, nil, "ps", "--all", "--filter", "label=io.x-k8s.kind.cluster="+c.name, "--format", "{{.Names}}")
	if err != nil {
		return absent, fmt.Errorf("finding cluster %s: %w", c.name, err)
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

// owned reports whether the node has mounted the owner file of this sandbox.
func (c *Cluster) owned(ctx context.Context) (bool, error) {
	out, err := c.engine.Run(ctx, engine.Timeout, nil, "inspect", "--type=container", "--format", "{{json .Mounts}}", c.node())
	if err != nil {
		return false, fmt.Errorf("finding the owner of cluster %s: %w", c.name, err)
	}
	var mounts []struct{ Source, Destination string }
	if err := json.Unmarshal([]byte(out), &mounts); err != nil {
		return false, fmt.Errorf("finding the owner of cluster %s: %w", c.name, err)
	}
	for _, m := range mounts {
		// An engine in a virtual machine adds a prefix to the path.
		if m.Destination == ownerPath && strings.HasSuffix(m.Source, c.dir.Owner()) {
			return true, nil
		}
	}
	return false, nil
}

// ForeignError reports that a cluster of this name exists that the sandbox did not create.
type ForeignError struct{ Name, Engine string }

// Error returns the name of the cluster and the remedy.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("a kind cluster called %q exists in %s, but this sandbox did not create it;"+
		" choose another name with --name, or delete it with `kind delete cluster --name %s`", e.Name, e.Engine, e.Name)
}

const (
	execTimeout  = 10 * time.Second
	readyTimeout = 90 * time.Second
	pollEvery    = 100 * time.Millisecond
	nodePoll     = 500 * time.Millisecond // until a new node exists
)

// Alive returns nil if the node runs commands, its container runtime answers, and its API server is ready. It does not use the
// records of the engine, which are wrong after the node and its monitor were killed. The error
// names the part that did not answer.
func (c *Cluster) Alive(ctx context.Context) error {
	if err := c.runtimeAnswers(ctx); err != nil {
		return fmt.Errorf("asking the container runtime of node %s: %w", c.node(), err)
	}
	ctx, cancel := context.WithTimeout(ctx, execTimeout)
	defer cancel()
	return c.ready(ctx)
}

// runtimeAnswers asks the node's containerd once.
func (c *Cluster) runtimeAnswers(ctx context.Context) error {
	_, err := c.engine.Run(ctx, execTimeout, nil, "exec", c.node(), "ctr", "version")
	return err
}

func (c *Cluster) ready(ctx context.Context) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	config.Timeout = execTimeout
	client, err := rest.UnversionedRESTClientFor(withCodec(config))
	if err != nil {
		return fmt.Errorf("checking readiness of cluster %s: %w", c.name, err)
	}
	answer, err := client.Get().AbsPath("/readyz").DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("checking readiness of cluster %s: %w: %s", c.name, err, engine.LastLine(string(answer)))
	}
	return nil
}

// withCodec completes a configuration for a client of paths, not of kinds.
func withCodec(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	return config
}

// waitReady polls until the cluster is alive. The error wraps the last error of Alive.
func (c *Cluster) waitReady(ctx context.Context, timeout time.Duration) error {
	if err := poll.Within(ctx, pollEvery, timeout, c.Alive); err != nil {
		return fmt.Errorf("waiting %s for cluster %s: %w", timeout, c.name, err)
	}
	return nil
}

// RESTConfig returns the configuration of an administrator for clients of the cluster's API server.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	if early := c.early.Load(); early != nil {
		return rest.CopyConfig(early), nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.dir.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of cluster %s: %w; run %s to write it again", c.name, err, hint.Run("up"))
	}
	return withRates(config), nil
}

// withRates raises the rate limits of a client. One client installs all components; the default
// limit of five requests per second would delay it.
func withRates(config *rest.Config) *rest.Config {
	config.QPS, config.Burst = 200, 400
	return config
}

// Images returns the names of the images in the node.
func (c *Cluster) Images(ctx context.Context) (map[string]bool, error) {
	return c.engine.NodeImages(ctx, c.node())
}

// Import streams an image archive into the node. The containerd of the node must be running: see
// [Cluster.AwaitNode].
func (c *Cluster) Import(ctx context.Context, write engine.Archiver) error {
	return c.engine.ImportIntoNode(ctx, c.node(), write)
}

// CollectLogs writes the logs of kind, the node and its Pods into dir, like `kind export logs`.
func (c *Cluster) CollectLogs(dir string) error {
	if err := c.provider.CollectLogs(c.name, dir); err != nil {
		return fmt.Errorf("collecting the logs of cluster %s: %w", c.name, err)
	}
	return nil
}

// validName matches the names that kind accepts for a cluster and that are short enough for the
// host name of the node.
var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,44}[a-z0-9])?$`)

// ValidName returns an error unless kind accepts name as the name of a cluster.
func ValidName(name string) error {
	if !validName.MatchString(name) {
		return errors.New("use at most 46 lower-case letters, digits, dots and dashes")
	}
	return nil
}
