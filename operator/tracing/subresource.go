package tracing

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const statusResource = "status"

// Status implements client.StatusClient.
func (c *tracedClient) Status() client.SubResourceWriter {
	inner := c.Client.Status()
	if c.cfg.off() {
		return inner
	}
	return &tracedSubResource{writer: inner, client: c, name: statusResource}
}

// SubResource implements client.SubResourceClientConstructor.
func (c *tracedClient) SubResource(name string) client.SubResourceClient {
	inner := c.Client.SubResource(name)
	if c.cfg.off() {
		return inner
	}
	return &tracedSubResourceClient{
		SubResourceReader: inner,
		tracedSubResource: tracedSubResource{writer: inner, client: c, name: name},
	}
}

type tracedSubResourceClient struct {
	client.SubResourceReader
	tracedSubResource
}

type tracedSubResource struct {
	writer client.SubResourceWriter
	client *tracedClient
	name   string
}

var (
	_ client.SubResourceWriter = (*tracedSubResource)(nil)
	_ client.SubResourceClient = (*tracedSubResourceClient)(nil)
)

// subAction names a write of a subresource. All verbs on the status are called update_status,
// because the verb is irrelevant for the trace.
func subAction(verb, sub string) string {
	if sub == statusResource && verb != verbCreate {
		verb = verbUpdate
	}
	return verb + "_" + sub
}

// Get implements client.SubResourceReader.
func (t *tracedSubResourceClient) Get(ctx context.Context, obj, sub client.Object, opts ...client.SubResourceGetOption) error {
	if t.client.cfg.off() || isNil(obj) || isNil(sub) {
		return t.SubResourceReader.Get(ctx, obj, sub, opts...)
	}
	r := t.client.beginRead(ctx, "get_"+t.name, t.client.kind(obj), client.ObjectKeyFromObject(obj))
	err := t.SubResourceReader.Get(r.ctx, obj, sub, opts...)
	r.end(err)
	return err
}

// Create implements client.SubResourceWriter.
func (t *tracedSubResource) Create(ctx context.Context, obj, sub client.Object, opts ...client.SubResourceCreateOption) error {
	if t.client.cfg.off() || isNil(obj) || dryRun((&client.SubResourceCreateOptions{}).ApplyOptions(opts).DryRun) {
		return t.writer.Create(ctx, obj, sub, opts...)
	}
	w := t.startWrite(ctx, verbCreate, obj)
	defer w.abandoned()
	err := t.writer.Create(w.ctx, obj, sub, opts...)
	w.finish(err)
	return err
}

// Update implements client.SubResourceWriter.
func (t *tracedSubResource) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	options := (&client.SubResourceUpdateOptions{}).ApplyOptions(opts)
	if t.client.cfg.off() || isNil(obj) || dryRun(options.DryRun) {
		return t.writer.Update(ctx, obj, opts...)
	}
	w := t.startWrite(ctx, verbUpdate, obj)
	defer w.abandoned()
	err := t.writer.Update(w.ctx, obj, opts...)
	w.end(answered(obj, options.SubResourceBody), err)
	return err
}

// Patch implements client.SubResourceWriter.
func (t *tracedSubResource) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	options := (&client.SubResourcePatchOptions{}).ApplyOptions(opts)
	if t.client.cfg.off() || isNil(obj) || isNil(patch) || dryRun(options.DryRun) {
		return t.writer.Patch(ctx, obj, patch, opts...)
	}
	w := t.startWrite(ctx, verbPatch, obj)
	defer w.abandoned()
	err := t.writer.Patch(w.ctx, obj, patch, opts...)
	w.end(answered(obj, options.SubResourceBody), err)
	return err
}

// Apply implements client.SubResourceWriter.
func (t *tracedSubResource) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
	options := (&client.SubResourceApplyOptions{}).ApplyOpts(opts)
	if t.client.cfg.off() || isNil(obj) || dryRun(options.DryRun) {
		return t.writer.Apply(ctx, obj, opts...)
	}
	w := t.client.startWrite(ctx, verbApply, t.name, appliedID(obj), "")
	defer w.abandoned()
	err := t.writer.Apply(w.ctx, obj, opts...)
	if options.SubResourceBody != nil || err != nil {
		w.end(nil, err)
		return err
	}
	w.end(appliedObject(obj), nil)
	return nil
}

func (t *tracedSubResource) startWrite(ctx context.Context, verb string, obj client.Object) *write {
	return t.client.startWrite(ctx, verb, t.name, identify(t.client.kind(obj), obj), obj.GetResourceVersion())
}

// answered returns the object that the response was read into, or nil if that was not the object
// itself.
func answered(obj, body client.Object) client.Object {
	if body != nil {
		return nil
	}
	return obj
}
