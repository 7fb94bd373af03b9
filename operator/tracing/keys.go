package tracing

import (
	"maps"
	"sync"

	"go.opentelemetry.io/otel/propagation"
)

// annotationKeys are the full keys that belong to a context: the propagator's and the origin's.
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

// full gives a propagator's key with the prefix, without making a string for those that are known.
func (k *annotationKeys) full(key string) string {
	for _, known := range k.all {
		if len(known) == len(k.prefix)+len(key) && known[len(k.prefix):] == key {
			return known
		}
	}
	return k.prefix + key
}

// keyedCarrier is an AnnotationCarrier for the hot path: neither its keys nor, as it comes from a pool, itself are allocated.
type keyedCarrier struct {
	keys        *annotationKeys
	annotations map[string]string
}

var carriers = sync.Pool{New: func() any { return new(keyedCarrier) }}

// carrier lends a carrier. It must not be used after its release.
func (k *annotationKeys) carrier(annotations map[string]string) *keyedCarrier {
	c := carriers.Get().(*keyedCarrier)
	c.keys, c.annotations = k, annotations
	return c
}

// release gives the carrier back, and keeps nobody's annotations alive.
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

// pick returns those of the annotations that belong to a context; nil if none does.
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

// kept is pick for an object that was read: where nothing belongs to a context, that is known, too.
func (k annotationKeys) kept(annotations map[string]string) map[string]string {
	if values := k.pick(annotations); values != nil {
		return values
	}
	return map[string]string{}
}

// put returns annotations in which the context's keys are exactly those of values, or none where the object
// would then have too many, and all others as they were. It returns its argument when nothing changes, else
// a new map.
func (k annotationKeys) put(annotations, values map[string]string) map[string]string {
	if maps.Equal(k.pick(annotations), values) {
		return annotations
	}
	out := k.others(annotations)
	maps.Copy(out, values)
	k.fit(out, nil)
	return out
}

// fit takes the context out of annotations that are, together with those that the object has and keeps,
// more than the API server takes.
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

// annotationBytes counts as the API server does.
func annotationBytes(annotations map[string]string) int {
	n := 0
	for k, v := range annotations {
		n += len(k) + len(v)
	}
	return n
}
