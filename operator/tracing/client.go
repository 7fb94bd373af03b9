package tracing

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// WrapClient returns a client that creates a span "{action} {Kind}" for each write through c.
// Actions are create, update, patch, apply, delete, delete_all, update_status for every way to
// write a status, and {verb}_{subresource}. A write that only adds or removes finalizers is called
// add_finalizer or remove_finalizer. Reads have no spans by default ([WithReads]).
//
// The wrapper never changes a request of a reconcile. It sends the operator's requests byte for
// byte, dry runs and subresources included. From the responses it records which span wrote which
// version, so that later reconciles in the same process find the write that caused them. Outside of
// a wrapped reconcile, Create adds the span context of ctx to the object, if ctx has one
// ([WithCreateAnnotation]).
//
// A create has kind PRODUCER, other writes have kind CLIENT. Dry runs have no span. A patch or a
// repeated apply that changed nothing has a span only if the reconcile does something else.
// Conflicts, objects that exist already and deletes of absent objects are events, not errors. The
// client logs the first write that is in no reconcile and has no span in its context, once.
//
// The client returns the results and errors of c. While tracing is off, it only calls c. WrapClient
// returns c itself if c is nil or wrapped already, or if it contains a wrapped client, as with
// [client.WithFieldOwner]. It wraps only the reads of a [client.NewDryRunClient]. The client passes
// a nil object or patch to c. It is a client.WithWatch if c is one; Watch is not traced. It is as
// safe for concurrent use as c.
func WrapClient(c client.Client, opts ...Option) client.Client {
	if isNil(c) {
		return c
	}
	layers := clientLayers(c)
	if slices.ContainsFunc(layers, isTraced) {
		return c
	}
	cfg := newConfig(opts)
	t := &tracedClient{Client: c, cfg: cfg, consistent: hasLayer(layers, "*client.consistentClient")}
	if len(cfg.converging) > 0 {
		t.converge = newConvergence(cfg.converging, c.Scheme())
	}
	if hasLayer(layers, "*client.dryRunClient") {
		return &dryRunClient{c, t}
	}
	if w, ok := c.(client.WithWatch); ok {
		return &tracedWatcher{t, w}
	}
	return t
}

// NewClientFunc returns a function for manager.Options.NewClient. The function creates the
// manager's default client and wraps it with [WrapClient]. The user names in its rest.Config become
// identities of this process, which webhooks trust. It returns the errors of client.New.
func NewClientFunc(opts ...Option) client.NewClientFunc {
	return func(cfg *rest.Config, options client.Options) (client.Client, error) {
		c, err := client.New(cfg, options)
		if err != nil {
			return nil, fmt.Errorf("creating the client to trace: %w", err)
		}
		registerIdentity(configUsernames(cfg)...)
		return WrapClient(c, opts...), nil
	}
}

type tracedClient struct {
	client.Client
	cfg        *config
	converge   convergence
	consistent bool      // reads wait for the process's own writes
	outside    sync.Once // for warnOutside
	kinds      sync.Map  // reflect.Type to schema.GroupVersionKind, for types with a single kind
}

var _ client.Client = (*tracedClient)(nil)

// kind returns an object's kind. It caches the kind of types that have a single kind in the scheme,
// because a lookup costs as much as half a read. For other types, the object itself names its kind.
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

// warnOutside logs the first write outside of a reconcile and of a span.
func (c *tracedClient) warnOutside(ctx context.Context, action string, id objectID) {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return
	}
	c.outside.Do(func() {
		log.FromContext(ctx).Info("Tracing a write outside of a traced reconcile, so its span has no parent; "+
			"wrap the manager with tracing.WrapManager, or the reconciler with tracing.WrapReconciler, and write with the reconcile's context",
			"action", action, "kind", id.gvk.Kind, "namespace", loggable(id.namespace), "name", loggable(id.name))
	})
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
	switch {
	case r.session == nil:
	case err == nil:
		r.session.remember(gvk, obj, false)
		r.session.saw(gvk, obj)
	case apierrors.IsNotFound(err):
		r.session.rememberAbsent(gvk, key)
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
	if r.session != nil && err == nil {
		c.rememberItems(r.session, list)
	}
	return err
}

// rememberItems stops when the session's memory is full, so that a long list costs no more than a
// short one.
func (c *tracedClient) rememberItems(s *session, list client.ObjectList) {
	n := 0
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		if n++; n > maxReads {
			return errStop
		}
		if obj, ok := item.(client.Object); ok && !isNil(obj) {
			gvk := c.kind(obj)
			s.remember(gvk, obj, true)
			s.saw(gvk, obj)
		}
		return nil
	})
}

// errStop ends meta.EachListItem early. It is never returned to the caller.
var errStop = fmt.Errorf("enough items")

// Create implements client.Writer.
func (c *tracedClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	if c.cfg.off() || isNil(obj) || len(opts) > 0 && dryRun((&client.CreateOptions{}).ApplyOptions(opts).DryRun) {
		return c.Client.Create(ctx, obj, opts...)
	}
	w := c.startWrite(ctx, verbCreate, "", identify(c.kind(obj), obj), "")
	defer w.abandoned()
	w.annotate(ctx, obj)
	err := c.Client.Create(w.ctx, obj, opts...)
	if err != nil {
		w.undo()
	}
	w.end(obj, err)
	return err
}

// Update implements client.Writer.
func (c *tracedClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	if c.cfg.off() || isNil(obj) || len(opts) > 0 && dryRun((&client.UpdateOptions{}).ApplyOptions(opts).DryRun) {
		return c.Client.Update(ctx, obj, opts...)
	}
	w := c.startWrite(ctx, verbUpdate, "", identify(c.kind(obj), obj), obj.GetResourceVersion())
	defer w.abandoned()
	err := c.Client.Update(w.ctx, obj, opts...)
	w.end(obj, err)
	return err
}

// Patch implements client.Writer.
func (c *tracedClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if c.cfg.off() || isNil(obj) || isNil(patch) || len(opts) > 0 && dryRun((&client.PatchOptions{}).ApplyOptions(opts).DryRun) {
		return c.Client.Patch(ctx, obj, patch, opts...)
	}
	verb := verbPatch
	if patch.Type() == types.ApplyPatchType {
		verb = verbApply
	}
	w := c.startWrite(ctx, verb, "", identify(c.kind(obj), obj), obj.GetResourceVersion())
	defer w.abandoned()
	err := c.Client.Patch(w.ctx, obj, patch, opts...)
	w.end(obj, err)
	return err
}

// Delete implements client.Writer.
func (c *tracedClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	if c.cfg.off() || isNil(obj) || len(opts) > 0 && dryRun((&client.DeleteOptions{}).ApplyOptions(opts).DryRun) {
		return c.Client.Delete(ctx, obj, opts...)
	}
	w := c.startWrite(ctx, verbDelete, "", identify(c.kind(obj), obj), "")
	defer w.abandoned()
	err := c.Client.Delete(w.ctx, obj, opts...)
	w.finish(err)
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
	w := c.startWrite(ctx, verbDeleteAll, "", objectID{gvk: c.kind(obj), namespace: options.ListOptions.Namespace}, "")
	defer w.abandoned()
	err := c.Client.DeleteAllOf(w.ctx, obj, opts...)
	w.finish(err)
	return err
}

// Apply implements client.Writer.
func (c *tracedClient) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	if c.cfg.off() || isNil(obj) || len(opts) > 0 && dryRun((&client.ApplyOptions{}).ApplyOptions(opts).DryRun) {
		return c.Client.Apply(ctx, obj, opts...)
	}
	w := c.startWrite(ctx, verbApply, "", appliedID(obj), "")
	defer w.abandoned()
	err := c.Client.Apply(w.ctx, obj, opts...)
	if err != nil {
		w.end(nil, err)
		return err
	}
	w.end(appliedObject(obj), nil)
	return nil
}

func dryRun(values []string) bool { return len(values) > 0 }
