package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
)

const (
	// poll is the time between two looks at the cluster.
	poll = 200 * time.Millisecond
	// callLimit bounds a request to the API server.
	callLimit = 15 * time.Second
	// logsLimit bounds the export of the node's logs.
	logsLimit = 2 * time.Minute
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

	clientset kubernetes.Interface // for logs of pods
	artifacts string
}

// connect makes the clients of a sandbox that is up.
func connect(status Status, artifacts string) (*Cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", status.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's kubeconfig: %w", err)
	}
	config.Timeout = callLimit
	config.QPS, config.Burst = 50, 100
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("making the scheme: %w", err)
	}
	c := &Cluster{Status: status, artifacts: artifacts}
	if c.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("making a client of the cluster: %w", err)
	}
	if c.clientset, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("making a client of the cluster: %w", err)
	}
	if c.Jaeger, err = jaeger.Dial(status.Jaeger.Query, 0); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cluster) close() { _ = c.Jaeger.Close() }

// Environment is e2e-framework's, on this cluster. It has no life cycle of its own.
func (c *Cluster) Environment() env.Environment {
	return env.NewWithConfig(envconf.NewWithKubeConfig(c.Status.Kubeconfig))
}

// exportLogs keeps the node's logs, as kind's export does. What kind could not
// get is noted beside them.
func (c *Cluster) exportLogs(ctx context.Context) error {
	if c.Status.Cluster != "kind" {
		return nil
	}
	engine := map[string]cluster.ProviderOption{
		"docker": cluster.ProviderWithDocker(), "podman": cluster.ProviderWithPodman(), "nerdctl": cluster.ProviderWithNerdctl("nerdctl"),
	}[c.Status.Provider]
	if engine == nil {
		return fmt.Errorf("exporting the node's logs: unknown engine %q", c.Status.Provider)
	}
	folder := filepath.Join(c.artifacts, "kind")
	done := make(chan error, 1) // kind takes no context
	go func() {
		done <- cluster.NewProvider(engine).CollectLogs(c.Status.Name, folder)
	}()
	ctx, cancel := context.WithTimeout(ctx, logsLimit)
	defer cancel()
	select {
	case err := <-done:
		if err != nil {
			// A node that was built from source has no journalctl, for one: the rest is there.
			note := filepath.Join(folder, "incomplete.txt")
			if err := os.WriteFile(note, []byte(err.Error()+"\n"), 0o644); err != nil {
				return fmt.Errorf("exporting the node's logs: %w", err)
			}
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("exporting the node's logs: %w", ctx.Err())
	}
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

// rolledOut says why a Deployment isn't what its template says, all of it and
// nothing else; nil if it is.
func rolledOut(d *appsv1.Deployment) error {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	s := d.Status
	if s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == want && s.Replicas == want && s.AvailableReplicas == want && s.ReadyReplicas == want {
		return nil
	}
	return fmt.Errorf("deployment %s/%s: %d wanted, %d there, %d updated, %d available, generation %d of %d observed",
		d.Namespace, d.Name, want, s.Replicas, s.UpdatedReplicas, s.AvailableReplicas, s.ObservedGeneration, d.Generation)
}

// podsOf lists the pods of a Deployment, those on their way out too.
func (c *Cluster) podsOf(ctx context.Context, d *appsv1.Deployment) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	if err := c.Client.List(ctx, pods, client.InNamespace(d.Namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels)); err != nil {
		return nil, fmt.Errorf("listing the pods of Deployment %s/%s: %w", d.Namespace, d.Name, err)
	}
	return pods.Items, nil
}
