package tracing

import (
	"maps"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// plan is what a write does about the trace context of its object.
type plan struct {
	// inject puts the write span's context on the object; the span is a PRODUCER.
	inject bool
	// repeat, if inject is false and it is not nil, are the context's annotations to send as they are;
	// an empty map sends the object without.
	repeat map[string]string
	// prior is the object as this reconcile read it, or nil.
	prior client.Object
	// generation is the object's before the write.
	generation int64
	// intent is what the write is for.
	intent intents
	// finalizers are those that it adds and removes.
	finalizers finalizers
	// status is that which the write of a whole object sends, where it differs from what was read.
	status any
}

// prior gives what the plan of any write starts from. judged is false where this reconcile has not read
// the object, or nothing but its metadata.
func (c *tracedClient) prior(s *session, gvk schema.GroupVersionKind, key types.NamespacedName) (p plan, old body, judged bool) {
	obj, known := s.asRead(gvk, key)
	if obj == nil {
		return p, nil, known
	}
	p.prior, p.generation = obj, obj.GetGeneration()
	if isPartial(obj) {
		return p, nil, false
	}
	old, err := bodyOf(obj)
	return p, old, err == nil
}

// planUpdate: a replaced object keeps its context, also where the operator built it anew without the
// annotations, unless the write changes what is desired.
func (c *tracedClient) planUpdate(s *session, gvk schema.GroupVersionKind, obj client.Object) plan {
	p, old, judged := c.prior(s, gvk, client.ObjectKeyFromObject(obj))
	p.intent = intentOther
	if p.prior == nil {
		p.generation = obj.GetGeneration()
		return p
	}
	p.finalizers = finalizersBetween(p.prior.GetFinalizers(), obj.GetFinalizers())
	if judged {
		if b, err := bodyOf(obj); err == nil {
			p.inject = b.changes(old, replaces)
			p.intent, p.status = b.intentAgainst(old, p.inject), b.newStatus(old)
		}
	}
	p.repeat = c.cfg.keys.kept(p.prior.GetAnnotations())
	return p
}

// planPatch: without the object as it was read, the body itself says what it changes, except where it
// is the whole object rather than a difference.
func (c *tracedClient) planPatch(s *session, gvk schema.GroupVersionKind, obj client.Object, b body, patch client.Patch) plan {
	p, old, judged := c.prior(s, gvk, client.ObjectKeyFromObject(obj))
	if p.prior == nil {
		p.generation = obj.GetGeneration()
	}
	style := merges
	if patch.Type() == types.StrategicMergePatchType {
		style = adds
	}
	p.intent, p.finalizers, p.status = b.intentOf(), b.finalizersOf(p, style), b.newStatus(old)
	switch {
	case len(b.desired()) == 0:
	case judged && p.prior != nil:
		p.inject = b.changes(old, style)
		if !p.inject {
			p.intent &^= intentDesired
		}
	default:
		// Where all annotations are to go and nobody knows which, there is no room for others.
		_, hasNull := b.annotations()
		p.inject = patch != client.Merge && !(hasNull && p.prior == nil)
	}
	return p
}

// planJSON: a JSON patch is sent as it is, so there is only something to tell about it.
func (c *tracedClient) planJSON(s *session, gvk schema.GroupVersionKind, key types.NamespacedName, data []byte) plan {
	p := plan{intent: intentOther}
	p.prior, _ = s.asRead(gvk, key)
	var operations []jsonOperation
	if json.Unmarshal(data, &operations) == nil {
		p.intent, p.finalizers = intentOfJSON(operations), finalizersOfJSON(operations, p)
	}
	return p
}

// planApply: an applied context must be the same each time the same is applied, or applying would never
// come to rest; and without force it must not meet another owner's value.
func (c *tracedClient) planApply(s *session, gvk schema.GroupVersionKind, key types.NamespacedName, b body, force bool) plan {
	p, old, judged := c.prior(s, gvk, key)
	p.intent, p.finalizers, p.status = b.intentOf(), b.finalizersOf(p, adds), b.newStatus(old)
	if !judged {
		p.intent = intentOther
		if p.prior != nil {
			p.repeat = c.cfg.keys.kept(p.prior.GetAnnotations())
		} else if force && len(b.desired()) > 0 {
			p.repeat = s.ownerContext()
		}
		return p
	}
	if p.prior == nil { // it does not exist
		p.inject = len(b.desired()) > 0
		return p
	}
	p.repeat = c.cfg.keys.kept(p.prior.GetAnnotations())
	changes := b.changes(old, adds)
	if !changes {
		p.intent &^= intentDesired
	}
	p.inject = changes && (force || len(p.repeat) == 0)
	return p
}

func (p plan) priorAnnotations() map[string]string {
	if p.prior == nil {
		return nil
	}
	return p.prior.GetAnnotations()
}

// fits reports whether the API server would take the object's annotations, as far as they are known, with
// those of a patch and with values. What is replaced is counted twice: it matters only near the cap.
func (p plan) fits(b body, values map[string]string) bool {
	n := annotationBytes(p.priorAnnotations()) + annotationBytes(values)
	current, _ := b.annotations()
	for key, value := range current {
		text, _ := value.(string)
		n += len(key) + len(text)
	}
	return n <= maxAnnotations
}

// annotate gives the body with the context's annotations set to values. Keys that are not among them
// are deleted, which a merge patch says with null and an applied object by silence.
func (p plan) annotate(b body, keys annotationKeys, values map[string]string, nullDeletes bool) body {
	current, hasNull := b.annotations()
	out := maps.Clone(current)
	if out == nil {
		out = map[string]any{}
	}
	if hasNull && nullDeletes && p.prior != nil {
		for k := range p.prior.GetAnnotations() {
			out[k] = nil
		}
	}
	for _, k := range keys.all {
		v, ok := values[k]
		switch {
		case ok:
			out[k] = v
		case nullDeletes:
			out[k] = nil
		default:
			delete(out, k)
		}
	}
	return b.withAnnotations(out)
}

// spare gives a merge patch that leaves the context on the object alone. It is false where the patch
// does so as it is.
func (p plan) spare(b body, keys annotationKeys) (body, bool) {
	current, hasNull := b.annotations()
	if hasNull {
		if p.prior == nil || keys.pick(p.prior.GetAnnotations()) == nil {
			return b, false
		}
		current = map[string]any{}
		for k := range p.prior.GetAnnotations() {
			current[k] = nil
		}
	}
	out := maps.Clone(current)
	for _, k := range keys.all {
		delete(out, k)
	}
	if !hasNull && len(out) == len(current) {
		return b, false
	}
	return b.withAnnotations(out), true
}

// rawPatch sends a body in place of the patch that it was read from.
func rawPatch(t types.PatchType, b body) (client.Patch, error) {
	data, err := json.Marshal(map[string]any(b))
	if err != nil {
		return nil, err
	}
	return client.RawPatch(t, data), nil
}
