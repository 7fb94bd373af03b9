package tracing

import (
	"reflect"

	"go.opentelemetry.io/otel/trace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// converging is a kind that gets spans "converge {Kind}".
type converging struct {
	obj       client.Object
	readiness Readiness
}

// convergence holds the readiness of kinds. It also knows them by Go type, for types that are not
// in the scheme.
type convergence struct {
	types map[reflect.Type]Readiness
	kinds map[schema.GroupKind]Readiness
}

func newConvergence(wanted []converging, scheme *runtime.Scheme) convergence {
	v := convergence{map[reflect.Type]Readiness{}, map[schema.GroupKind]Readiness{}}
	for _, w := range wanted {
		if _, anyKind := w.obj.(*unstructured.Unstructured); !anyKind {
			v.types[reflect.TypeOf(w.obj)] = w.readiness
		}
		v.kinds[kindOf(w.obj, scheme).GroupKind()] = w.readiness
	}
	return v
}

// of returns the readiness of an object's kind, and whether the kind gets spans "converge {Kind}".
func (v convergence) of(kind schema.GroupKind, obj client.Object) (Readiness, bool) {
	if r, ok := v.types[reflect.TypeOf(obj)]; ok {
		return r, true
	}
	r, ok := v.kinds[kind]
	return r, ok
}

// converged creates the span "converge {Kind}", once per generation: from the start of the change
// to the write that makes the object ready. The context of the object is the parent whatever its
// age, so that a process that takes over creates the same span. With [RelationLink] it is a link
// instead.
func (w *write) converged(obj client.Object, after *objectFacts) {
	c := w.cfg
	if after.uid == "" || !c.causes.converged(after.uid, after.generation) {
		return
	}
	if stored, ok := c.extract(w.ctx, obj, levelReconcile); ok {
		after.stored = &stored
	}
	own, start := c.carriedBy(w.name, after), w.session.knownGenerationStart(after)
	switch {
	case own.current:
		start = own.start
	case !own.valid():
		own = w.session.ownerOf(after)
	}
	now := c.now()
	if start.After(now) { // the clock of the process that started the change is ahead
		start = now
	}
	r, _ := c.relateAnyAge(after, own, start)
	ctx, opts := r.start(w.ctx, nil)
	opts = append(opts,
		trace.WithTimestamp(start),
		kindInternal,
		trace.WithAttributes(identify(w.id.gvk, obj).attributes()...),
	)
	_, span := c.tracer().Start(ctx, c.names.of("converge", w.id.gvk.Kind), opts...)
	span.End(trace.WithTimestamp(now))
}

// addConditionEvents adds an event for each condition whose status changed, for example "Ready:
// False→True". An absent condition counts as Unknown, as in Kubernetes.
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
