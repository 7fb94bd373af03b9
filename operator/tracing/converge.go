package tracing

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// convergence emits "converge {Kind}": from the start of a change to the status write that says that
// the object is Ready. It is safe for concurrent use.
type convergence struct {
	cfg   *config
	kinds map[schema.GroupKind]bool

	mu    sync.Mutex
	known map[generationKey]*generationState
	order []generationKey // oldest first
}

type generationKey struct {
	uid        types.UID
	generation int64
}

type generationState struct {
	seen time.Time
	done bool
}

func newConvergence(cfg *config, c client.Client) *convergence {
	v := &convergence{cfg: cfg, kinds: map[schema.GroupKind]bool{}, known: map[generationKey]*generationState{}}
	for _, obj := range cfg.converge {
		v.kinds[kindOf(obj, c.Scheme()).GroupKind()] = true
	}
	return v
}

// saw notes when this process first saw a generation, in case nothing better says when it began.
func (v *convergence) saw(gvk schema.GroupVersionKind, obj client.Object) {
	if v.kinds[gvk.GroupKind()] && obj.GetUID() != "" {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.state(obj)
	}
}

// state gives what is known of the object's generation. The caller holds the lock.
func (v *convergence) state(obj client.Object) *generationState {
	key := generationKey{obj.GetUID(), obj.GetGeneration()}
	if s, ok := v.known[key]; ok {
		return s
	}
	if len(v.order) == maxGenerations {
		delete(v.known, v.order[0])
		v.order = v.order[1:]
	}
	s := &generationState{seen: v.cfg.now()}
	v.known[key] = s
	v.order = append(v.order, key)
	return s
}

// reached emits the span, once per generation. The context that the object carries is the parent
// whatever its age, so that the span comes out the same in a process that took over half-way; the policy
// of [RelationLink] makes it a link.
func (v *convergence) reached(ctx context.Context, gvk schema.GroupVersionKind, obj client.Object) {
	if !v.kinds[gvk.GroupKind()] || obj.GetUID() == "" {
		return
	}
	v.mu.Lock()
	s := v.state(obj)
	done, start := s.done, s.seen
	s.done = true
	v.mu.Unlock()
	if done {
		return
	}
	now := v.cfg.now()
	carried, own := v.cfg.bears(ctx, obj)
	switch {
	case !own:
		carried = sessionFrom(ctx).ownerOf(obj)
	case carried.stored.belongsTo(obj.GetGeneration()):
		start = carried.stored.origin.start
	}
	if start.After(now) { // the clock that began the change is ahead
		start = now
	}
	r, _ := v.cfg.relateAnyAge(obj, carried)
	ctx, opts := r.start(ctx, nil)
	opts = append(opts,
		trace.WithTimestamp(start),
		trace.WithSpanKind(trace.SpanKindInternal),
		trace.WithAttributes(identify(gvk, obj).attributes()...),
	)
	_, span := v.cfg.tracer().Start(ctx, "converge "+gvk.Kind, opts...)
	span.End(trace.WithTimestamp(now))
}

// addConditionEvents notes each condition whose status changed, as "Ready: False→True". A condition
// that was not there was Unknown, as everywhere in Kubernetes.
func addConditionEvents(span trace.Span, before, after objectStatus) {
	for _, c := range after.conditions {
		was := string(metav1.ConditionUnknown)
		if old, ok := before.condition(c.kind); ok {
			was = old.status
		}
		if was == c.status {
			continue
		}
		var opts []trace.EventOption
		if c.reason != "" {
			opts = append(opts, trace.WithAttributes(ConditionReasonKey.String(c.reason)))
		}
		span.AddEvent(c.kind+": "+was+"→"+c.status, opts...)
	}
}
