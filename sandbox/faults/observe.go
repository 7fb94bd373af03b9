package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/applytrace"
	"github.com/operator-tracing/sandbox/sandbox/explain/finding"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/feed"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
	"github.com/operator-tracing/sandbox/sandbox/view"
)

// exportDelay is how long spans wait for Events. A run ends later than that after its last write.
const exportDelay = 100 * time.Millisecond

// observer traces the writes of all controllers about the sample, in one run after another.
type observer struct {
	cancel context.CancelFunc
	ended  chan error

	mu     sync.Mutex
	tracer *applytrace.Tracer
	spans  ptrace.Traces
}

// observeCluster starts an observer, and waits until it has listed the objects.
func observeCluster(ctx context.Context, s *stage) (*observer, error) {
	ctx, cancel := context.WithCancel(ctx)
	o := &observer{cancel: cancel, ended: make(chan error, 1)}
	o.reset()
	synced := make(chan struct{})
	watcher := &feed.Watcher{Config: s.cluster.Config(), Synced: func() { close(synced) }}
	for _, obj := range s.samples {
		gvk := obj.GroupVersionKind()
		watcher.About = append(watcher.About, writes.Object{Group: gvk.Group, Kind: gvk.Kind})
	}
	sink := observe.New(observe.Options{Alone: true, Applied: o.applied, ExportDelay: exportDelay, Export: o.export})
	go func() { o.ended <- watcher.Run(ctx, sink) }()
	select {
	case <-synced:
		return o, nil
	case err := <-o.ended:
		cancel()
		return nil, fmt.Errorf("observing the cluster: %w", err)
	}
}

func (o *observer) stop() error {
	o.cancel()
	return <-o.ended
}

// reset forgets the last run.
func (o *observer) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tracer, o.spans = applytrace.New(manager), ptrace.NewTraces()
}

func (o *observer) current() *applytrace.Tracer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tracer
}

func (o *observer) applied(uid types.UID, revision uint64, onObject trace.SpanContext) trace.SpanContext {
	return o.current().SpanOf(uid, revision, onObject)
}

func (o *observer) export(_ context.Context, all ptrace.Traces) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	all.ResourceSpans().MoveAndAppendTo(o.spans.ResourceSpans())
	return nil
}

// send applies an object with the context of a trace.
func (r *runner) send(ctx context.Context, obj *unstructured.Unstructured) error {
	c := r.Cluster.Client()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(obj.GroupVersionKind())
	err := c.Get(ctx, client.ObjectKeyFromObject(obj), live)
	if apierrors.IsNotFound(err) {
		live, err = nil, nil
	}
	if err != nil {
		return err
	}
	return r.observer.current().Apply(ctx, live, obj, func(ctx context.Context, obj *unstructured.Unstructured, options ...client.ApplyOption) error {
		options = append(options, client.FieldOwner(manager), client.ForceOwnership)
		return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), options...)
	})
}

// forests returns the traces of the objects that this run applied so far.
func (o *observer) forests() []*spantree.Forest {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := ptrace.NewTraces()
	o.spans.CopyTo(all)
	roots := o.tracer.Traces()
	var ids []string
	for _, t := range tracetree.FromOTLP(roots) {
		ids = append(ids, t.ID)
	}
	roots.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
	var found []*spantree.Forest
	for _, t := range tracetree.FromOTLP(all) {
		if slices.Contains(ids, t.ID) {
			found = append(found, t.Forest())
		}
	}
	slices.SortStableFunc(found, func(a, b *spantree.Forest) int { return a.Roots[0].Span.Start.Compare(b.Roots[0].Span.Start) })
	return found
}

// findings returns the findings about the traces, independently of the namespace.
func findings(forests []*spantree.Forest, namespace string) []string {
	var found []string
	for _, forest := range forests {
		for _, f := range finding.Find(forest, finding.Options{}) {
			text := f.ID
			if f.Object != "" {
				text += ": " + f.Object
			}
			if namespace != "" {
				text = strings.ReplaceAll(text, namespace+"/", "")
			}
			found = append(found, text)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// draw returns traces as text.
func (r *runner) draw(forests []*spantree.Forest) string {
	var b strings.Builder
	for _, forest := range forests {
		_ = view.New(forest, r.Labels...).WriteText(&b, view.TextOptions{}) // A Builder accepts everything.
	}
	return b.String()
}
