package generated

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const finalizer = "generated.example.com/finalizer"

var errGenerated = errors.New("generated error")

// program is the reconciler of a generated operator. It has no tracing code.
type program struct {
	op     operator
	log    *transcript
	client client.Client
	second client.Client

	mu    sync.Mutex
	calls map[string]int
	// The last call's result, to compare with the wrapper's result.
	result reconcile.Result
	err    error
}

// count counts calls with key.
func (p *program) count(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == nil {
		p.calls = map[string]int{}
	}
	p.calls[key]++
	return p.calls[key]
}

// Reconcile implements reconcile.Reconciler.
func (p *program) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	result, err := p.reconcile(ctx, req)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.result, p.err = result, err
	return result, err
}

func (p *program) reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	obj := newObject(p.op.Primary, p.op.Typed)
	if err := p.client.Get(ctx, req.NamespacedName, obj); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if obj.GetDeletionTimestamp() != nil {
		return reconcile.Result{}, p.finalize(ctx, obj)
	}
	if p.op.Finalizer != "" && !controllerutil.ContainsFinalizer(obj, finalizer) {
		if err := p.setFinalizer(ctx, obj, controllerutil.AddFinalizer); err != nil {
			return reconcile.Result{}, err
		}
	}
	for i, s := range p.op.Steps {
		if err := p.do(ctx, i, s, obj); err != nil && !s.Ignore {
			return reconcile.Result{}, fmt.Errorf("step %d: %w", i, err)
		}
	}
	first := p.count("reconcile "+req.Name) <= 2
	switch {
	case p.op.Requeue == "periodic", p.op.Requeue == "after-first" && first:
		return reconcile.Result{RequeueAfter: time.Hour}, nil
	case p.op.Requeue == "immediately" && first:
		return reconcile.Result{Requeue: true}, nil //nolint:staticcheck // deprecated, but operators still use it
	default:
		return reconcile.Result{}, nil
	}
}

func (p *program) do(ctx context.Context, i int, s step, obj client.Object) error {
	c := p.client
	if s.Second {
		c = p.second
	}
	if write, ok := ownVerbs[s.Verb]; ok {
		err := write(ctx, owned{p, c, s, obj})
		p.log.object(s.Verb, obj, err)
		return err
	}
	if write, ok := childVerbs[s.Verb]; ok {
		one := child{p, c, s, p.desired(s, obj, childName(obj.GetName(), i, s))}
		written, err := write(ctx, one)
		p.log.object(s.Verb, written, err)
		if err == nil {
			err = one.after(ctx)
		}
		return err
	}
	first := p.count(s.Verb) == 1
	switch {
	case s.Verb == "fail" && p.count("failure") <= 2:
		return errGenerated
	case s.Verb == "panic" && first:
		panic(errGenerated)
	case s.Verb == "terminal" && first:
		return reconcile.TerminalError(errGenerated)
	default:
		return nil
	}
}

// finalize deletes all config maps of a deleted object, and then its finalizer.
func (p *program) finalize(ctx context.Context, obj client.Object) error {
	if !controllerutil.ContainsFinalizer(obj, finalizer) {
		return nil
	}
	if err := p.client.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace(obj.GetNamespace()), client.MatchingLabels{ownerLabel: obj.GetName()}); err != nil {
		return err
	}
	for i, s := range p.op.Steps {
		if childVerbs[s.Verb] == nil || s.Kind == configMap {
			continue
		}
		gone := newObject(s.Kind, s.Typed)
		gone.SetNamespace(obj.GetNamespace())
		gone.SetName(childName(obj.GetName(), i, s))
		if err := p.client.Delete(ctx, gone, deleteNow); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return p.setFinalizer(ctx, obj, controllerutil.RemoveFinalizer)
}

func (p *program) setFinalizer(ctx context.Context, obj client.Object, change func(client.Object, string) bool) error {
	base := obj.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has the type
	change(obj, finalizer)
	var err error
	if p.op.Finalizer == "update" {
		err = p.client.Update(ctx, obj)
	} else {
		err = p.client.Patch(ctx, obj, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
	}
	p.log.object("finalizer", obj, err)
	return err
}
