package tracing

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// WrapClient gives each write of c a span "{action} {Kind}" and puts the span's context on objects
// whose desired state the write changes. Actions are create, update, patch, apply, delete, delete_all,
// update_status for every way to write a status, and {verb}_{subresource}. Reads have no spans; inside a
// wrapped reconciler they tell it what it reconciles, and the client what a later write changes.
//
// Create always injects. Update, Patch and Apply inject where the write changes something outside
// metadata and status, judged against the object as this reconcile read it, or by the patch itself.
// Otherwise they repeat the context that the object had. The span is then of kind CLIENT, else PRODUCER.
// JSON patches are sent as they are; empty patches and dry runs too, and they get no span.
//
// Conflicts, objects that exist already and deletes of what is gone are no errors on the span, but an
// event. When a write fails, the caller's object is as it was. Errors are those of c. While tracing is
// off, c is called with nothing added. The client is as safe for concurrent use as c.
//
// A write of metadata that adds or removes finalizers is called add_finalizer or remove_finalizer. A nil c
// is given back, and a nil object or patch goes to c as it is: what that means is c's to say. Only
// client.Client is wrapped: a client.WithWatch loses its Watch, and calls it on c.
func WrapClient(c client.Client, opts ...Option) client.Client {
	if isNil(c) {
		return c
	}
	cfg := newConfig(opts)
	return &tracedClient{Client: c, cfg: cfg, convergence: newConvergence(cfg, c)}
}

// NewClientFunc is for manager.Options.NewClient: it makes the client that a manager makes by default
// and wraps it with [WrapClient]. Its error is that of client.New.
func NewClientFunc(opts ...Option) client.NewClientFunc {
	return func(cfg *rest.Config, options client.Options) (client.Client, error) {
		c, err := client.New(cfg, options)
		if err != nil {
			return nil, fmt.Errorf("making the client to trace: %w", err)
		}
		return WrapClient(c, opts...), nil
	}
}

type tracedClient struct {
	client.Client
	cfg         *config
	convergence *convergence
	kinds       sync.Map // reflect.Type to schema.GroupVersionKind, of types that have only one
}

var _ client.Client = (*tracedClient)(nil)

// kind gives an object's kind. A type whose kind is known without its object saying so has but one in the scheme, and is looked
// up once: a lookup costs as much as half a read.
func (c *tracedClient) kind(obj runtime.Object) schema.GroupVersionKind {
	t := reflect.TypeOf(obj)
	if gvk, ok := c.kinds.Load(t); ok {
		return gvk.(schema.GroupVersionKind)
	}
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return kindOf(obj, c.Scheme())
	}
	if obj.GetObjectKind().GroupVersionKind().Empty() {
		c.kinds.Store(t, gvk)
	}
	return gvk
}

// Get implements client.Reader.
func (c *tracedClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if c.cfg.off() || isNil(obj) {
		return c.Client.Get(ctx, key, obj, opts...)
	}
	gvk := c.kind(obj)
	r := c.beginRead(ctx, "get", gvk, key)
	err := c.Client.Get(r.ctx, key, obj, opts...)
	r.end(err)
	s := sessionFrom(ctx)
	switch {
	case err == nil:
		if s != nil {
			s.remember(gvk, obj)
		}
		c.convergence.saw(gvk, obj)
	case s != nil && apierrors.IsNotFound(err):
		s.rememberAbsent(gvk, key)
	}
	return err
}

// List implements client.Reader.
func (c *tracedClient) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if c.cfg.off() || isNil(list) {
		return c.Client.List(ctx, list, opts...)
	}
	items := c.kind(list)
	items.Kind = strings.TrimSuffix(items.Kind, "List")
	var key client.ObjectKey
	if c.cfg.reads {
		key.Namespace = (&client.ListOptions{}).ApplyOptions(opts).Namespace
	}
	r := c.beginRead(ctx, "list", items, key)
	err := c.Client.List(r.ctx, list, opts...)
	r.end(err)
	if s := sessionFrom(ctx); s != nil && err == nil {
		c.rememberItems(s, list)
	}
	return err
}

// rememberItems stops at the number of objects that a session remembers, so that a long list costs no
// more than a short one.
func (c *tracedClient) rememberItems(s *session, list client.ObjectList) {
	n := 0
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		if n++; n > maxReads {
			return errStop
		}
		if obj, ok := item.(client.Object); ok {
			s.remember(c.kind(obj), obj)
		}
		return nil
	})
}

// errStop ends meta.EachListItem early; nobody sees it.
var errStop = fmt.Errorf("enough items")

// Create implements client.Writer.
func (c *tracedClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	if c.cfg.off() || isNil(obj) || len(opts) > 0 && dryRun((&client.CreateOptions{}).ApplyOptions(opts).DryRun) {
		return c.Client.Create(ctx, obj, opts...)
	}
	gvk := c.kind(obj)
	p := plan{inject: true, intent: intentDesired}
	w := c.begin(ctx, "create", gvk, identify(gvk, obj), p)
	defer w.abandoned()
	w.setAnnotations(obj, p)
	err := c.Client.Create(w.ctx, obj, opts...)
	if err != nil {
		w.undo(obj)
	}
	w.end(obj, err)
	return err
}

// Update implements client.Writer.
func (c *tracedClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	if c.cfg.off() || isNil(obj) || len(opts) > 0 && dryRun((&client.UpdateOptions{}).ApplyOptions(opts).DryRun) {
		return c.Client.Update(ctx, obj, opts...)
	}
	gvk := c.kind(obj)
	p := c.planUpdate(sessionFrom(ctx), gvk, obj)
	w := c.begin(ctx, "update", gvk, identify(gvk, obj), p)
	defer w.abandoned()
	w.setAnnotations(obj, p)
	err := c.Client.Update(w.ctx, obj, opts...)
	if err != nil {
		w.undo(obj)
	}
	w.end(obj, err)
	return err
}

// Patch implements client.Writer.
func (c *tracedClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if c.cfg.off() || isNil(obj) || isNil(patch) {
		return c.Client.Patch(ctx, obj, patch, opts...)
	}
	options := (&client.PatchOptions{}).ApplyOptions(opts)
	if dryRun(options.DryRun) {
		return c.Client.Patch(ctx, obj, patch, opts...)
	}
	data, err := patch.Data(obj)
	if err != nil || emptyPatch(patch.Type(), data) {
		return c.Client.Patch(ctx, obj, patch, opts...)
	}
	gvk := c.kind(obj)
	action, p, b := c.patchPlan(ctx, gvk, obj, patch, data, options.Force != nil && *options.Force)
	w := c.begin(ctx, action, gvk, identify(gvk, obj), p)
	defer w.abandoned()
	err = c.Client.Patch(w.ctx, obj, w.patch(patch, p, b, data), opts...)
	w.end(obj, err)
	return err
}

// Delete implements client.Writer.
func (c *tracedClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	if c.cfg.off() || isNil(obj) || len(opts) > 0 && dryRun((&client.DeleteOptions{}).ApplyOptions(opts).DryRun) {
		return c.Client.Delete(ctx, obj, opts...)
	}
	gvk := c.kind(obj)
	w := c.begin(ctx, "delete", gvk, identify(gvk, obj), plan{intent: intentDelete})
	defer w.abandoned()
	w.deleting = true
	err := c.Client.Delete(w.ctx, obj, opts...)
	w.end(obj, err)
	return err
}

// DeleteAllOf implements client.Writer.
func (c *tracedClient) DeleteAllOf(ctx context.Context, obj client.Object, opts ...client.DeleteAllOfOption) error {
	if c.cfg.off() || isNil(obj) {
		return c.Client.DeleteAllOf(ctx, obj, opts...)
	}
	options := (&client.DeleteAllOfOptions{}).ApplyOptions(opts)
	if dryRun(options.DryRun) {
		return c.Client.DeleteAllOf(ctx, obj, opts...)
	}
	gvk := c.kind(obj)
	w := c.begin(ctx, "delete_all", gvk, objectID{gvk: gvk, namespace: options.ListOptions.Namespace}, plan{intent: intentDelete})
	defer w.abandoned()
	w.deleting = true
	err := c.Client.DeleteAllOf(w.ctx, obj, opts...)
	w.finish(err)
	return err
}

// Apply implements client.Writer.
func (c *tracedClient) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	if c.cfg.off() || isNil(obj) {
		return c.Client.Apply(ctx, obj, opts...)
	}
	options := (&client.ApplyOptions{}).ApplyOptions(opts)
	if dryRun(options.DryRun) {
		return c.Client.Apply(ctx, obj, opts...)
	}
	b, id := readApply(obj)
	key := types.NamespacedName{Namespace: id.namespace, Name: id.name}
	s := sessionFrom(ctx)
	p, target := plan{intent: intentOther}, applyMetadata(obj)
	if b != nil && target != nil {
		p = c.planApply(s, id.gvk, key, b, options.Force != nil && *options.Force)
	}
	w := c.begin(ctx, "apply", id.gvk, id, p)
	defer w.abandoned()
	if target != nil {
		w.setAnnotations(target, p)
	}
	err := c.Client.Apply(w.ctx, obj, opts...)
	if err != nil && target != nil {
		w.undo(target)
	}
	w.applied(obj, err)
	return err
}

func dryRun(values []string) bool { return len(values) > 0 }
