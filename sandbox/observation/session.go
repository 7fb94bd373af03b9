package observation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/applytrace"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/feed"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
	"github.com/operator-tracing/sandbox/sandbox/project/condition"
	"github.com/operator-tracing/sandbox/sandbox/traces"
)

const (
	// Manager is the field manager of [Options.Objects].
	Manager = "sandbox-observe"
	// quiet is how long nothing must be written until a trace is complete.
	quiet = 1500 * time.Millisecond
	// maxSpans is the number of spans that are kept.
	maxSpans = 20_000
	// lookInterval is the pause between two looks at the trace.
	lookInterval = 250 * time.Millisecond
)

// Options configures a [Session].
type Options struct {
	Cluster *apply.Cluster
	// Target is the object. The zero value is the first object that a user changes.
	Target writes.Object
	// Objects are applied once the watches are open.
	Objects []*unstructured.Unstructured
	// Namespaces are watched; nil is all of them.
	Namespaces []string
	// About are the objects whose related kinds are watched; nil watches every kind.
	About []writes.Object
	// Condition is the state to wait for; nil is [apply.Ready].
	Condition *condition.Condition
	// Sender gets the trace, too, and Endpoint is its address. nil sends it nowhere.
	Sender   *jaeger.Sender
	Endpoint string
	// Timeout is the limit of the caller's context, for messages.
	Timeout time.Duration
	// Progress gets messages.
	Progress io.Writer
}

// Session observes one change of an object. Create it with [New], and run it once.
type Session struct {
	options Options
	tracer  *applytrace.Tracer

	mu      sync.Mutex
	target  writes.Object
	traceID string
	version string        // the API version of the target's kind; empty until it was read
	spans   ptrace.Traces // of the chosen trace, and before it is chosen of all
	sent    map[pcommon.SpanID]bool
	grew    time.Time
	failure error
	// unchanged is true if there are manifests, and the applies changed none of their objects.
	unchanged bool
	// unsent is why spans could not be sent yet, and rejected why the receiver never accepts some.
	unsent, rejected error
	// skipped are the resources that may not be watched, of which some are reported, and unsearched is
	// the number of resources that may not be listed.
	skipped              []string
	reported, unsearched int
}

// New returns a session.
func New(o Options) *Session {
	return &Session{options: o, target: o.Target, tracer: applytrace.New(Manager), spans: ptrace.NewTraces(), sent: map[pcommon.SpanID]bool{}}
}

// Target returns the observed object, which is the zero value until it is known.
func (s *Session) Target() writes.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.target
}

// Run watches until the object is ready and nothing more is written, or ctx ends, and returns the
// trace as far as it is known, also with an error. If the manifests change nothing and the object is
// ready, Run returns at once, with an empty trace. show is called with each look at the growing
// trace; its error ends Run.
func (s *Session) Run(ctx context.Context, show func(traces.Look) error) (tracetree.Trace, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	synced := make(chan struct{})
	observer := observe.New(observe.Options{
		Alone: s.options.Sender == nil, Applied: s.tracer.SpanOf, ExportDelay: lookInterval, Export: s.export, Wrote: s.wrote, Failed: s.failed,
	})
	watcher := &feed.Watcher{
		Config: s.options.Cluster.Config(), Namespaces: s.options.Namespaces, About: s.options.About,
		Synced: func() { close(synced) }, Skipped: s.skip, Unsearched: s.unsearch,
	}
	ended := make(chan error, 1)
	go func() { ended <- watcher.Run(watching, observer) }()
	select {
	case <-synced:
	case err := <-ended:
		return tracetree.Trace{}, err
	case <-ctx.Done():
		return tracetree.Trace{}, errors.Join(fmt.Errorf("listing the objects of the cluster: not done within %s", s.options.Timeout), s.failure)
	}
	if err := s.refused(); err != nil {
		return tracetree.Trace{}, err
	}
	s.greet(ctx)
	err := s.apply(ctx)
	if err == nil {
		err = s.wait(ctx, show)
	}
	stop()
	err = errors.Join(err, <-ended)
	s.report()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.traceLocked(), errors.Join(err, s.unsent, s.rejected)
}

// apply applies the manifests. Each object that this changes has a context, and a span "apply KIND".
func (s *Session) apply(ctx context.Context) error {
	s.tracer.Refused = func(obj *unstructured.Unstructured, err error) {
		fmt.Fprintf(s.options.Progress, "applied %s without a trace context: %v\n", apply.Describe(obj), err)
	}
	changed := false
	for _, obj := range s.options.Objects {
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(obj.GroupVersionKind())
		err := s.options.Cluster.Client().Get(ctx, client.ObjectKeyFromObject(obj), live)
		if apierrors.IsNotFound(err) {
			live, err = nil, nil
		}
		if err == nil {
			var stored *unstructured.Unstructured // by the last request; earlier ones are dry runs
			err = s.tracer.Apply(ctx, live, obj, func(ctx context.Context, obj *unstructured.Unstructured, options ...client.ApplyOption) error {
				stored = obj
				return s.sendApply(ctx, obj, options...)
			})
			changed = changed || live == nil || !applytrace.Same(live, stored)
		}
		if err != nil {
			return fmt.Errorf("applying %s: %w", apply.Describe(obj), err)
		}
	}
	s.unchanged = len(s.options.Objects) > 0 && !changed
	if s.options.Sender == nil {
		return nil
	}
	return s.tracer.Send(ctx, s.options.Endpoint)
}

func (s *Session) sendApply(ctx context.Context, obj *unstructured.Unstructured, options ...client.ApplyOption) error {
	options = append(options, client.FieldOwner(Manager), client.ForceOwnership)
	return s.options.Cluster.Client().Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), options...)
}

// wait shows the trace until the object is ready and quiet, or ctx ends.
func (s *Session) wait(ctx context.Context, show func(traces.Look) error) error {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	last := s.noChange()
	for {
		why := s.waiting(ctx)
		if ctx.Err() != nil { // The last state is the reason.
			return s.notReady(ctx, last)
		}
		if last = why; why == "" {
			return nil
		}
		if err := show(traces.Look{Trace: s.trace(), Waiting: why}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// waiting returns why the trace is incomplete; "" if it is complete.
func (s *Session) waiting(ctx context.Context) string {
	s.mu.Lock()
	target, chosen, grew := s.target, s.traceID != "", s.grew
	s.mu.Unlock()
	if !chosen && !s.unchanged {
		return s.noChange()
	}
	live, err := s.read(ctx, target)
	switch {
	case apierrors.IsNotFound(err):
		err = nil // It was deleted: its dependents end, too.
	case err == nil && live.GetDeletionTimestamp() != nil:
		err = fmt.Errorf("it is being deleted; finalizers: %s", strings.Join(live.GetFinalizers(), ", "))
	case err == nil:
		err = s.ready(live)
	}
	switch {
	case err != nil && !chosen:
		return s.noChange() + ", and the object is not ready: " + err.Error()
	case err != nil:
		return err.Error()
	case time.Since(grew) < quiet:
		return fmt.Sprintf("the last write was less than %s ago", quiet)
	}
	return ""
}

func (s *Session) read(ctx context.Context, target writes.Object) (*unstructured.Unstructured, error) {
	if s.version == "" {
		mapping, err := s.options.Cluster.Client().RESTMapper().RESTMapping(schema.GroupKind{Group: target.Group, Kind: target.Kind})
		if err != nil {
			return nil, err
		}
		s.version = mapping.GroupVersionKind.Version
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(schema.GroupVersionKind{Group: target.Group, Version: s.version, Kind: target.Kind})
	return live, s.options.Cluster.Client().Get(ctx, client.ObjectKey{Namespace: target.Namespace, Name: target.Name}, live)
}
