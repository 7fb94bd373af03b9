package generated

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// Modes in which an operator runs.
const (
	plain  = "plain"  // without the library
	noopTP = "noop"   // wrapped, with a provider that records nothing
	traced = "traced" // wrapped, with a provider that records everything
)

// scenario is an operator and the data that both of its runs share.
type scenario struct {
	operator

	mu       sync.Mutex
	contexts map[int64]map[string]string // context annotations per generation, the same in both runs
}

// context returns annotations with a fresh context for an object's generation, or nil if users'
// changes carry no context.
func (s *scenario) context(generation int64) map[string]string {
	if !s.Context {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.contexts == nil {
		s.contexts = map[int64]map[string]string{}
	}
	if s.contexts[generation] == nil {
		tp := tracingtest.NewTracerProvider()
		ctx, span := tp.Tracer("user").Start(context.Background(), "apply")
		defer span.End()
		obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Generation: generation}}
		tracing.InjectContext(ctx, obj, tracing.WithTracerProvider(tp))
		s.contexts[generation] = obj.Annotations
	}
	return s.contexts[generation]
}

// world is a namespace for a run of an operator in one mode.
type world struct {
	*scenario

	mode      string
	namespace string
	log       *transcript
	ledger    *ledger
	wire      *wire
	user      client.Client
	tp        *tracingtest.TracerProvider
	opts      []tracing.Option
	edits     int
}

var worlds atomic.Int64

func newWorld(ctx context.Context, s *scenario, mode string) (*world, error) {
	w := &world{scenario: s, mode: mode, namespace: fmt.Sprintf("run-%06d", worlds.Add(1)), log: &transcript{}}
	w.ledger = newLedger(w.log)
	w.wire = newWire(s.operator, w.log, w.ledger)
	w.tp = tracingtest.NewTracerProvider()
	w.opts = []tracing.Option{tracing.WithTracerProvider(w.tp), tracing.WithScheme(scheme), tracing.WithConverge(&Widget{}, &Gadget{})}
	if mode == noopTP {
		w.opts = append(w.opts, tracing.WithTracerProvider(noop.NewTracerProvider()))
	}
	if s.Seed%3 == 0 {
		w.opts = append(w.opts, tracing.WithReads())
	}
	if s.Stale {
		w.opts = append(w.opts, tracing.WithMaxAge(1), tracing.WithConvergedAge(1))
	}
	var err error
	if w.user, err = newClient(newWire(operator{}, nil, w.ledger).config(operator{})); err != nil {
		return nil, err
	}
	labels := map[string]string{"generated": "yes"}
	if s.Rewrite {
		labels["rewrite"] = "yes"
	}
	return w, w.user.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace, Labels: labels}})
}

// config returns the configuration of the operator's clients.
func (w *world) config() *rest.Config {
	c := w.wire.config(w.operator)
	if w.mode != plain {
		c.Wrap(tracing.WrapTransport(w.opts...))
	}
	return c
}

// newProgram returns the operator's reconciler with clients of its own.
func (w *world) newProgram() (*program, error) {
	p := &program{op: w.operator, log: w.log}
	for _, c := range []*client.Client{&p.client, &p.second} {
		var err error
		if *c, err = newClient(w.config()); err != nil {
			return nil, err
		}
		if w.mode != plain {
			*c = tracing.WrapClient(*c, w.opts...)
		}
	}
	p.second = client.WithFieldOwner(p.second, "second")
	return p, nil
}

func objectName(i int) string { return fmt.Sprintf("object-%d", i) }

func (w *world) primary(i int) client.Object {
	obj := newObject(w.Primary, false)
	obj.SetNamespace(w.namespace)
	obj.SetName(objectName(i))
	return obj
}

// create creates the reconciled objects as a user does.
func (w *world) create(ctx context.Context) error {
	for i := range w.Objects {
		obj := w.primary(i)
		m := content(obj)
		overlay(m, w.valued("app:1"))
		fill(obj, m)
		obj.SetAnnotations(w.context(0))
		if err := w.user.Create(ctx, obj, client.FieldOwner("user")); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) valued(value string) object {
	if w.Primary == configMap {
		return object{"data": object{"value": value}}
	}
	return object{"spec": object{"image": value}}
}

// edit runs a user's action on the first object.
func (w *world) edit(ctx context.Context, verb string) error {
	w.edits++
	obj := w.primary(0)
	if err := w.user.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return client.IgnoreNotFound(err)
	}
	var change object
	switch verb {
	case "value":
		change = w.valued(fmt.Sprintf("app:%d", w.edits+1))
		if annotations := w.context(obj.GetGeneration()); annotations != nil {
			change["metadata"] = object{"annotations": annotations}
		}
	case "label":
		change = object{"metadata": object{"labels": object{"user": fmt.Sprint(w.edits)}}}
	case "annotate":
		change = object{"metadata": object{"annotations": object{"user": fmt.Sprint(w.edits)}}}
	case "annotation-removed":
		change = object{"metadata": object{"annotations": nil}}
	case "delete":
		return w.user.Delete(ctx, obj, deleteNow)
	default:
		return w.disturb(ctx, verb)
	}
	return w.user.Patch(ctx, obj, raw(types.MergePatchType, change), client.FieldOwner("user"))
}

// disturb changes or deletes the children of the first object.
func (w *world) disturb(ctx context.Context, verb string) error {
	for i, s := range w.Steps {
		if childVerbs[s.Verb] == nil || verb == "resync" {
			continue
		}
		obj := newObject(s.Kind, false)
		obj.SetNamespace(w.namespace)
		obj.SetName(childName(objectName(0), i, s))
		var err error
		if verb == "delete-child" {
			err = w.user.Delete(ctx, obj, deleteNow)
		} else {
			path, value := pathOf(s.Kind, "tampered")
			operations := []object{{"op": "add", "path": path, "value": value}, {"op": "add", "path": "/metadata/annotations", "value": object{"tampered": "yes"}}}
			err = w.user.Patch(ctx, obj, raw(types.JSONPatchType, operations), client.FieldOwner("user"))
		}
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsInvalid(err) {
			return err
		}
	}
	return nil
}

// end returns the normalized objects at the end, and checks them against the ledger.
func (w *world) end(ctx context.Context) ([]string, error) {
	known, found := w.ledger.versions(), 0
	var out []string
	for _, kind := range allKinds {
		list := newList(kind, false)
		if err := w.user.List(ctx, list, client.InNamespace(w.namespace)); err != nil {
			return nil, err
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			obj := item.(client.Object) //nolint:forcetypeassert // every kind here is an object
			key := strings.ToLower(kind) + "s/" + obj.GetName()
			if known[key] != obj.GetResourceVersion() {
				return nil, fmt.Errorf("%s has version %s; the ledger has %q", key, obj.GetResourceVersion(), known[key])
			}
			found++
			data, err := json.Marshal(obj)
			if err != nil {
				return nil, err
			}
			w.log.mu.Lock()
			out = append(out, w.log.normalized(withoutManagedFields(data)))
			w.log.mu.Unlock()
		}
	}
	if found != len(known) {
		return nil, fmt.Errorf("%d objects exist; the ledger has %d", found, len(known))
	}
	return out, nil
}

// sampled reports whether the library recorded anything.
func (w *world) sampled() bool {
	for _, s := range w.tp.Spans() {
		if s.Context.TraceFlags()&trace.FlagsSampled != 0 {
			return true
		}
	}
	return false
}
