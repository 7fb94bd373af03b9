package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"

	"github.com/operator-tracing/sandbox/e2e/triage"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
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
	// Jaeger reads traces.
	Jaeger *jaeger.Client

	program   *program
	parts     parts
	artifacts string
	config    *envconf.Config
}

// parts is how the operator and Jaeger run on one kind of cluster, and where logs
// are.
type parts interface {
	operatorParts
	jaegerParts
	logParts
}

type operatorParts interface {
	// setOperatorEnv gives the operator these variables of operatorVariables and no
	// others of them, and waits until only operators with them run.
	setOperatorEnv(ctx context.Context, env map[string]string) error
	// killOperator ends the operator that reconciles with SIGKILL, and waits until it
	// is gone.
	killOperator(ctx context.Context) error
	// startOperator waits until as many operators run as should, and starts them
	// where nobody else does.
	startOperator(ctx context.Context) error
	// operatorState reads the variables of the operator, when it started, and how many
	// spans it lost. With an error, what it has is true.
	operatorState(ctx context.Context) (triage.Operator, error)
	// otlpHTTP is where the operator reaches Jaeger by OTLP over HTTP.
	otlpHTTP(status Status) string
}

type jaegerParts interface {
	// stopJaeger ends Jaeger and waits until it is gone.
	stopJaeger(ctx context.Context) error
	// receivers are Jaeger's addresses as the operator's variables write them.
	receivers(status Status) []string
	// startJaeger starts Jaeger, if it doesn't run, and waits until it runs.
	startJaeger(ctx context.Context) error
}

type logParts interface {
	// operatorLog reads the log of the operator that runs; it may begin earlier.
	operatorLog(ctx context.Context) ([]byte, error)
	// keepLogs writes the logs of the operator, of Jaeger, and of what runs in a
	// namespace.
	keepLogs(ctx context.Context, namespace string, write writeFunc)
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
	c := &Cluster{Status: status, program: p, artifacts: artifacts}
	if c.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("making a client of the cluster: %w", err)
	}
	switch status.Cluster {
	case clusterKind:
		clientset, err := kubernetes.NewForConfig(config)
		if err != nil {
			return nil, fmt.Errorf("making a client of the cluster: %w", err)
		}
		c.parts = &deployments{client: c.Client, clientset: clientset, name: status.Name, provider: status.Provider, metrics: forwardedMetrics(config)}
	case clusterEmbedded:
		given, _ := splitEnvironment(status.OperatorEnv)
		c.parts = &processes{program: p, given: given}
	default:
		return nil, fmt.Errorf("connecting to the cluster: %q is no known kind of cluster", status.Cluster)
	}
	if c.Jaeger, err = jaeger.Dial(status.Jaeger.Query); err != nil {
		return nil, err
	}
	return c, nil
}

// RunsContainers tells whether a kubelet runs the cluster's Pods.
func (c *Cluster) RunsContainers() bool { return c.Status.Cluster == clusterKind }

// Sandbox runs a command of the sandbox's program as a user would. The end of ctx is a SIGTERM. The error is that of the exit.
func (c *Cluster) Sandbox(ctx context.Context, stdout, stderr io.Writer, args ...string) error {
	cmd := c.program.command(ctx, stderr, args...)
	cmd.Stdout = ignoreErrors{stdout}
	return cmd.Run()
}

func (c *Cluster) close() { _ = c.Jaeger.Close() }

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
