package tracing

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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

// tracedSubResource never injects: the API server takes no metadata from most of these writes.
type tracedSubResource struct {
	writer client.SubResourceWriter
	client *tracedClient
	name   string
}

var (
	_ client.SubResourceWriter = (*tracedSubResource)(nil)
	_ client.SubResourceClient = (*tracedSubResourceClient)(nil)
)

// action names the write. A status is updated, whatever the verb: what the trace tells is that the
// operator said something about the object, not in which words.
func (t *tracedSubResource) action(verb string) string {
	if t.name == statusResource && verb != "create" {
		verb = "update"
	}
	return verb + "_" + t.name
}

// intent: a scale is what is desired, in other words.
func (t *tracedSubResource) intent() intents {
	switch t.name {
	case statusResource:
		return intentStatus
	case "scale":
		return intentDesired
	default:
		return intentOther
	}
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
	w, _ := t.begin(ctx, "create", obj)
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
	w, before := t.begin(ctx, "update", obj)
	defer w.abandoned()
	err := t.writer.Update(w.ctx, obj, opts...)
	t.end(&w, before, obj, options.SubResourceBody != nil, err)
	return err
}

// Patch implements client.SubResourceWriter.
func (t *tracedSubResource) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	options := (&client.SubResourcePatchOptions{}).ApplyOptions(opts)
	if t.client.cfg.off() || isNil(obj) || isNil(patch) || dryRun(options.DryRun) {
		return t.writer.Patch(ctx, obj, patch, opts...)
	}
	sent := obj
	if options.SubResourceBody != nil {
		sent = options.SubResourceBody
	}
	if data, err := patch.Data(sent); err == nil {
		if emptyPatch(patch.Type(), data) {
			return t.writer.Patch(ctx, obj, patch, opts...)
		}
		patch = client.RawPatch(patch.Type(), data)
	}
	w, before := t.begin(ctx, "patch", obj)
	defer w.abandoned()
	err := t.writer.Patch(w.ctx, obj, patch, opts...)
	t.end(&w, before, obj, options.SubResourceBody != nil, err)
	return err
}

// Apply implements client.SubResourceWriter.
func (t *tracedSubResource) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
	options := (&client.SubResourceApplyOptions{}).ApplyOpts(opts)
	if t.client.cfg.off() || isNil(obj) || dryRun(options.DryRun) {
		return t.writer.Apply(ctx, obj, opts...)
	}
	_, id := readApply(obj)
	before, _ := sessionFrom(ctx).asRead(id.gvk, client.ObjectKey{Namespace: id.namespace, Name: id.name})
	w := t.client.begin(ctx, t.action("apply"), id.gvk, id, plan{intent: t.intent()})
	defer w.abandoned()
	err := t.writer.Apply(w.ctx, obj, opts...)
	if after, _ := readApply(obj); err == nil && after != nil {
		t.end(&w, before, &unstructured.Unstructured{Object: after}, options.SubResourceBody != nil, nil)
	} else {
		w.finish(err)
	}
	return err
}

// begin starts the span and gives the object as this reconcile read it, nil where it did not.
func (t *tracedSubResource) begin(ctx context.Context, verb string, obj client.Object) (write, client.Object) {
	gvk := t.client.kind(obj)
	before, _ := sessionFrom(ctx).asRead(gvk, client.ObjectKeyFromObject(obj))
	return t.client.begin(ctx, t.action(verb), gvk, identify(gvk, obj), plan{intent: t.intent()}), before
}

// end notes what became of the object. elsewhere is whether the answer went into another object than
// obj, which then says nothing new.
func (t *tracedSubResource) end(w *write, before, obj client.Object, elsewhere bool, err error) {
	if err != nil || elsewhere {
		w.finish(err)
		return
	}
	if t.name != statusResource {
		w.end(obj, nil)
		return
	}
	after := readStatus(obj)
	if tellsStatus(before) {
		w.told(readStatus(before), after, obj, before.GetGeneration())
	}
	w.end(obj, nil)
}
