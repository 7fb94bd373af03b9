// Command scale creates many Heads at once on a running sandbox, and prints a row of a Markdown
// table: the times until the Heads are ready and their traces complete, and the memory of the
// processes. It fails if a trace is lost, incomplete, or has spans about another Head.
// scripts/bench-scale.sh runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
)

const (
	service   = "demo-services-for-tracing"
	namespace = "scale"
	// creations is the number of requests at the same time.
	creations = 16
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "scale: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig of the sandbox")
	query := flags.String("jaeger", "", "address of Jaeger's gRPC query API")
	tree := flags.String("tree", "e2e/testdata/create.tree", "expected tree of each trace")
	heads := flags.Int("heads", 100, "number of Heads")
	limit := flags.Duration("limit", 20*time.Minute, "time limit")
	pids := flags.String("pids", "", "processes to measure, as NAME=PID, separated by commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	processes, err := parseProcesses(*pids)
	if err != nil {
		return err
	}
	cluster, err := newClient(*kubeconfig)
	if err != nil {
		return err
	}
	reader, err := jaeger.Dial(*query, jaeger.WithoutScopes(observe.Scope))
	if err != nil {
		return err
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	c := &load{cluster: cluster, jaeger: reader, tree: *tree, progress: progress, heads: map[string]*head{}}
	failure := c.measure(ctx, *heads)
	c.report(out, processes)
	return failure
}

func newClient(kubeconfig string) (client.WithWatch, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme})
}

// measure creates the Heads and waits for their traces.
func (c *load) measure(ctx context.Context, count int) error {
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := c.cluster.Create(ctx, space); err != nil {
		return fmt.Errorf("creating the namespace: %w", err)
	}
	for i := range count {
		name := fmt.Sprintf("head-%d", i)
		c.heads[name] = &head{name: name}
	}
	group, working := errgroup.WithContext(ctx)
	watching, stop := context.WithCancel(working)
	group.Go(func() error { return c.watch(watching) })
	group.Go(func() error {
		defer stop()
		if err := c.create(working); err != nil {
			return err
		}
		return c.await(working)
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return c.others(ctx)
}

func (c *load) create(ctx context.Context) error {
	c.started = time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creations)
	for _, h := range c.heads {
		group.Go(func() error {
			object := &v1alpha1.Head{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: h.name}, Spec: v1alpha1.HeadSpec{ChildA: component.Pause},
			}
			start := time.Now()
			if err := c.cluster.Create(ctx, object); err != nil {
				return fmt.Errorf("creating Head %s: %w", h.name, err)
			}
			trace, _, err := tracetree.TraceIDOf(object.Annotations)
			c.mu.Lock()
			defer c.mu.Unlock()
			h.created, h.trace = start, trace
			return err
		})
	}
	err := group.Wait()
	c.creating = time.Since(c.started)
	return err
}

// watch records when each Head becomes ready, until ctx ends.
func (c *load) watch(ctx context.Context) error {
	for ctx.Err() == nil {
		watcher, err := c.cluster.Watch(ctx, &v1alpha1.HeadList{}, client.InNamespace(namespace))
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watching the Heads: %w", err)
		}
		for event := range watcher.ResultChan() { // The watch ends when ctx is cancelled or the API server closes it.
			if object, is := event.Object.(*v1alpha1.Head); is && isReady(object) {
				c.mu.Lock()
				if h := c.heads[object.Name]; h.ready.IsZero() {
					h.ready = time.Now()
				}
				c.mu.Unlock()
			}
		}
	}
	return nil
}

func isReady(object *v1alpha1.Head) bool {
	return slices.ContainsFunc(object.Status.Conditions, func(condition metav1.Condition) bool {
		return condition.Type == v1alpha1.ConditionReady && condition.Status == metav1.ConditionTrue && condition.ObservedGeneration == object.Generation
	})
}
