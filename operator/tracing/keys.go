package tracing

import (
	"maps"
	"sync"

	"go.opentelemetry.io/otel/propagation"
)

// annotationKeys are the full keys of a context: the propagator's and the origin's.
type annotationKeys struct {
	prefix string
	all    []string
	origin string
}

func newAnnotationKeys(prefix string, p propagation.TextMapPropagator) annotationKeys {
	k := annotationKeys{prefix: prefix, origin: prefix + OriginKey}
	for _, f := range p.Fields() {
		k.all = append(k.all, prefix+f)
	}
	k.all = append(k.all, k.origin)
	return k
}

// full returns a propagator's key with the prefix. It does not allocate for known keys.
func (k *annotationKeys) full(key string) string {
	for _, known := range k.all {
		if len(known) == len(k.prefix)+len(key) && known[len(k.prefix):] == key {
			return known
		}
	}
	return k.prefix + key
}

// keyedCarrier is an AnnotationCarrier for the hot path. It comes from a pool, and neither it nor
// its keys are allocated.
type keyedCarrier struct {
	keys        *annotationKeys
	annotations map[string]string
}

var carriers = sync.Pool{New: func() any { return new(keyedCarrier) }}

// carrier takes a carrier from the pool. The caller must release it, and must not use it
// afterwards.
func (k *annotationKeys) carrier(annotations map[string]string) *keyedCarrier {
	c := carriers.Get().(*keyedCarrier)
	c.keys, c.annotations = k, annotations
	return c
}

// release returns the carrier to the pool, without a reference to the annotations.
func (c *keyedCarrier) release() {
	*c = keyedCarrier{}
	carriers.Put(c)
}

// Get implements propagation.TextMapCarrier.
func (c *keyedCarrier) Get(key string) string {
	return level2Value(key, c.annotations[c.keys.full(key)])
}

// Set implements propagation.TextMapCarrier.
func (c *keyedCarrier) Set(key, value string) { c.annotations[c.keys.full(key)] = value }

// Keys implements propagation.TextMapCarrier.
func (c *keyedCarrier) Keys() []string {
	return AnnotationCarrier{Annotations: c.annotations, Prefix: c.keys.prefix}.Keys()
}

// pick returns the annotations of a context, or nil if there are none.
func (k annotationKeys) pick(annotations map[string]string) map[string]string {
	var out map[string]string
	for _, key := range k.all {
		if v, ok := annotations[key]; ok {
			if out == nil {
				out = make(map[string]string, len(k.all))
			}
			out[key] = v
		}
	}
	return out
}

// kept is pick for an object that was read. It returns an empty map instead of nil, because the
// absence is known.
func (k annotationKeys) kept(annotations map[string]string) map[string]string {
	if values := k.pick(annotations); values != nil {
		return values
	}
	return map[string]string{}
}

// put returns annotations with exactly the context keys of values, and all other annotations
// unchanged. If the result would be too large, it has no context keys. It returns its argument if
// nothing changes, and a new map otherwise.
func (k annotationKeys) put(annotations, values map[string]string) map[string]string {
	if maps.Equal(k.pick(annotations), values) {
		return annotations
	}
	out := k.others(annotations)
	maps.Copy(out, values)
	k.fit(out, nil)
	return out
}

// fit removes the context from annotations if they exceed the API server's limit together with the
// other annotations that the object keeps.
func (k annotationKeys) fit(annotations, kept map[string]string) {
	n := annotationBytes(annotations)
	for key, value := range kept {
		if _, replaced := annotations[key]; !replaced {
			n += len(key) + len(value)
		}
	}
	if n <= maxAnnotations {
		return
	}
	for _, key := range k.all {
		delete(annotations, key)
	}
}

// annotationBytes counts bytes in the same way as the API server.
func annotationBytes(annotations map[string]string) int {
	n := 0
	for k, v := range annotations {
		n += len(k) + len(v)
	}
	return n
}
