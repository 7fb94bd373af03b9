package up

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/existing"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// jaegerService is the sandbox's Jaeger on a shared cluster, as Pods see it.
const jaegerService = "jaeger.jaeger.svc"

// ErrNoQuery says that spans go to a Jaeger of the user's which this machine can't ask.
var ErrNoQuery = errors.New("traces go to a Jaeger of yours that the sandbox was not told how to ask: run `sandbox up --jaeger-query=URL`, with the URL of its web page")

// telemetry is where the operator sends its spans.
func (r *Run) telemetry() (project.Telemetry, error) {
	switch {
	case !r.existing:
		return project.Telemetry{}, nil
	case r.wanted.JaegerEndpoint != "":
		return telemetryAt(r.wanted.JaegerEndpoint)
	}
	return project.Telemetry{Host: jaegerService}, nil
}

// forward is the way to Jaeger's ports in a cluster that existed before, which maps none of them to this machine.
type forward struct {
	mu    sync.Mutex
	ports component.Ports // nil if there is none
	open  *existing.Forward
}

// Reach makes sure that [Run.Addresses] lead to Jaeger, until Close. Clusters of the sandbox's own need nothing for that; on others
// it forwards ports. The error is ErrNoQuery where Jaeger is the user's and nobody said where it is.
func (r *Run) Reach(ctx context.Context) error {
	if !r.existing {
		return nil
	}
	if r.wanted.JaegerEndpoint != "" {
		if r.wanted.JaegerQuery == "" {
			return ErrNoQuery
		}
		return nil
	}
	r.forward.mu.Lock()
	defer r.forward.mu.Unlock()
	if r.forward.open != nil {
		return nil
	}
	config, err := r.restConfig()
	if err != nil {
		return err
	}
	var inPod []int
	for _, p := range component.AllPorts() {
		inPod = append(inPod, p.Number)
	}
	open, err := existing.NewForward(ctx, config, r.jaegerPod, inPod...)
	if err != nil {
		return fmt.Errorf("reaching Jaeger: %w", err)
	}
	r.forward.open, r.forward.ports = open, component.Ports{}
	for _, p := range component.AllPorts() {
		r.forward.ports[p.Name] = open.Local(p.Number)
	}
	return nil
}

// Close ends what Reach began. It may be called more than once.
func (r *Run) Close() {
	r.forward.mu.Lock()
	defer r.forward.mu.Unlock()
	r.forward.open.Close()
	r.forward.open, r.forward.ports = nil, nil
}

// jaegerPod finds a Pod of Jaeger's that is ready.
func (r *Run) jaegerPod(ctx context.Context) (types.NamespacedName, error) {
	target, err := r.Target()
	if err != nil {
		return types.NamespacedName{}, err
	}
	pods, err := workload.Pods(ctx, target, component.Jaeger)
	if err != nil {
		return types.NamespacedName{}, err
	}
	for i := len(pods) - 1; i >= 0; i-- { // The youngest first.
		if workload.PodReady(&pods[i]) {
			return types.NamespacedName{Namespace: pods[i].Namespace, Name: pods[i].Name}, nil
		}
	}
	return types.NamespacedName{}, fmt.Errorf("%w: no Pod of Jaeger's is ready", jaeger.ErrUnreachable)
}

// ports are Jaeger's on this machine; nil if it has none.
func (r *Run) ports() component.Ports {
	if !r.existing {
		return r.Record.Ports
	}
	r.forward.mu.Lock()
	defer r.forward.mu.Unlock()
	return r.forward.ports
}

// reader asks Jaeger over gRPC, wholeReader over HTTP: what it gives there is whole, so that it can be loaded again. A Jaeger of the
// user's is asked over HTTP alone.
func (r *Run) reader(ctx context.Context) (*jaeger.Client, error) {
	return r.dial(ctx, func(a Addresses) string { return a[component.Query] })
}

func (r *Run) wholeReader(ctx context.Context) (*jaeger.Client, error) {
	return r.dial(ctx, func(a Addresses) string { return a[component.UI] })
}

// searcher searches over gRPC, as Jaeger up to v2.13 ignores tags over HTTP, and reads over HTTP.
type searcher struct {
	*jaeger.Client
	search *jaeger.Client
}

func (s searcher) FindTraces(ctx context.Context, q jaeger.Query) ([]jaeger.Trace, error) {
	return s.search.FindTraces(ctx, q)
}

func (s searcher) Close() error { return errors.Join(s.Client.Close(), s.search.Close()) }

func (r *Run) searcher(ctx context.Context) (searcher, error) {
	whole, err := r.wholeReader(ctx)
	if err != nil {
		return searcher{}, err
	}
	search, err := r.reader(ctx)
	if err != nil {
		return searcher{}, errors.Join(err, whole.Close())
	}
	return searcher{whole, search}, nil
}

func (r *Run) dial(ctx context.Context, address func(Addresses) string) (*jaeger.Client, error) {
	if err := r.Reach(ctx); err != nil {
		return nil, err
	}
	if r.existing && r.wanted.JaegerQuery != "" {
		return jaeger.Dial(r.wanted.JaegerQuery)
	}
	return jaeger.Dial(address(r.Addresses()))
}

// Asks tells whether there is a Jaeger that can be asked.
func (r *Run) Asks() bool {
	return !r.existing || r.wanted.JaegerEndpoint == "" || r.wanted.JaegerQuery != ""
}
