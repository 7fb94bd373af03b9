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
	// poll is the time between two looks at the cluster.
	poll = 200 * time.Millisecond
	// callLimit bounds a request to the API server.
	callLimit = 15 * time.Second
)

// Cluster is the sandbox as the tests see it. It may be used by several goroutines
// at a time.
type Cluster struct {
	// Status is the sandbox's when the tests began.
	Status Status
	// Client reads and writes without a cache, so that tests see what is there.
	Client client.Client
	// Jaeger reads traces without the spans of the sandbox's observer, and Observed reads them whole.
	Jaeger, Observed *jaeger.Client

	program   *program
	artifacts string
	config    *envconf.Config
	metrics   podMetrics        // of the operator's Pods on kind
	given     map[string]string // the operator's variables that the user of the sandbox set

	upMu sync.Mutex        // Only one up runs at a time. It also guards env.
	env  map[string]string // the operator's variables that tests set
}

// connect makes the clients of a sandbox that is up. The program is the sandbox's.
func connect(p *program, status Status, artifacts string) (*Cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", status.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's kubeconfig: %w", err)
	}
	config.Timeout = callLimit
	config.QPS, config.Burst = 200, 400
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("making the scheme: %w", err)
	}
	c := &Cluster{Status: status, program: p, artifacts: artifacts, metrics: forwardedMetrics(config)}
	c.given, _ = splitEnvironment(status.OperatorEnv)
	if c.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("making a client of the cluster: %w", err)
	}
	if c.Jaeger, err = jaeger.Dial(status.Jaeger.Query, jaeger.WithoutScopes(observe.Scope)); err != nil {
		return nil, err
	}
	c.Observed, err = jaeger.Dial(status.Jaeger.Query)
	return c, err
}

// RunsContainers tells whether a kubelet runs the cluster's Pods.
func (c *Cluster) RunsContainers() bool { return c.Status.Cluster == clusterKind }

// Sandbox runs a command of the sandbox's program as a user would. The end of ctx is a SIGTERM. The error is that of the exit.
func (c *Cluster) Sandbox(ctx context.Context, stdout, stderr io.Writer, args ...string) error {
	cmd := c.program.command(ctx, stderr, args...)
	cmd.Stdout = ignoreErrors{stdout}
	return cmd.Run()
}

func (c *Cluster) close() { _, _ = c.Jaeger.Close(), c.Observed.Close() }

// Environment is e2e-framework's, on this cluster, with its flags that choose features: --feature, --assess, --labels and their
// opposites. It has no life cycle of its own.
func (c *Cluster) Environment() env.Environment {
	config := *c.config // Features run beside each other.
	return env.NewWithConfig(config.WithKubeconfigFile(c.Status.Kubeconfig))
}

// export keeps all that the sandbox knows of itself among the artifacts, as its own command writes it.
func (c *Cluster) export(ctx context.Context) error {
	return c.program.export(ctx, filepath.Join(c.artifacts, c.Status.Cluster))
}

// Eventually polls until check gives nil. The error names what was waited for
// and the last reason. Limit bounds the wait beside the context.
func Eventually(ctx context.Context, limit time.Duration, what string, check func(context.Context) error) error {
	last := errors.New("never looked at")
	err := wait.PollUntilContextTimeout(ctx, poll, limit, true, func(ctx context.Context) (bool, error) {
		err := check(ctx)
		// A look that the end of the time interrupted says nothing.
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
