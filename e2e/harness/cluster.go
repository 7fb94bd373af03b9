package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/observe"
)

const (
	// poll is the interval between two requests in a wait.
	poll = 200 * time.Millisecond
	// callLimit is the timeout of a request to the API server.
	callLimit = 15 * time.Second
)

// Cluster is the sandbox under test. Its methods are safe for concurrent use.
type Cluster struct {
	// Status is the status of the sandbox at the start of the tests.
	Status Status
	// Client reads and writes without a cache, so that tests see the current state.
	Client client.Client
	// Jaeger reads traces without the spans of the sandbox's observer. Observed reads all spans.
	Jaeger, Observed *jaeger.Client

	program   *program
	artifacts string
	config    *envconf.Config
	metrics   podMetrics        // The metrics of the operator's Pods on kind.
	given     map[string]string // The operator's variables that the user of the sandbox set.

	upMu sync.Mutex        // Only one up runs at a time. It also guards env.
	env  map[string]string // The operator's variables that tests set.
}

// connect creates the clients of a running sandbox. The program is the sandbox's.
func connect(p *program, status Status, artifacts string) (*Cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", status.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's kubeconfig: %w", err)
	}
	config.Timeout = callLimit
	config.QPS, config.Burst = 200, 400
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("creating the scheme: %w", err)
	}
	c := &Cluster{Status: status, program: p, artifacts: artifacts, metrics: forwardedMetrics(config)}
	c.given, _ = splitEnvironment(status.OperatorEnv)
	if c.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("creating a client of the cluster: %w", err)
	}
	if c.Jaeger, err = jaeger.Dial(status.Jaeger.Query, jaeger.WithoutScopes(observe.Scope)); err != nil {
		return nil, err
	}
	c.Observed, err = jaeger.Dial(status.Jaeger.Query)
	return c, err
}

// RunsContainers reports whether a kubelet runs the cluster's Pods.
func (c *Cluster) RunsContainers() bool { return c.Status.Cluster == clusterKind }

// Sandbox runs a command of the sandbox's program as a user would. When ctx is cancelled, the
// command receives SIGTERM. The error contains the exit code.
func (c *Cluster) Sandbox(ctx context.Context, stdout, stderr io.Writer, args ...string) error {
	cmd := c.program.command(ctx, stderr, args...)
	cmd.Stdout = ignoreErrors{stdout}
	return cmd.Run()
}

func (c *Cluster) close() { _, _ = c.Jaeger.Close(), c.Observed.Close() }

// Environment returns an environment of e2e-framework for this cluster. It supports the flags that
// choose features: --feature, --assess, --labels and their opposites. It does not create or delete
// the cluster.
func (c *Cluster) Environment() env.Environment {
	config := *c.config // Features run in parallel.
	return env.NewWithConfig(config.WithKubeconfigFile(c.Status.Kubeconfig))
}

// export writes the result of `sandbox export` to the artifacts.
func (c *Cluster) export(ctx context.Context) error {
	return c.program.export(ctx, filepath.Join(c.artifacts, c.Status.Cluster))
}

// Eventually calls check until it returns nil. The error contains the subject of the wait and the
// last error. The wait ends after limit, or when ctx is cancelled.
func Eventually(ctx context.Context, limit time.Duration, what string, check func(context.Context) error) error {
	last := errors.New("never checked")
	err := wait.PollUntilContextTimeout(ctx, poll, limit, true, func(ctx context.Context) (bool, error) {
		err := check(ctx)
		// A check that the end of the context interrupted has no meaning.
		if err == nil || ctx.Err() == nil {
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting up to %s for %s: %w: %w", limit, what, err, last)
	}
	return nil
}
