package tracing

import (
	"reflect"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kindSink reads the kind that controller-runtime's builder adds to the logger of a controller, as
// the values "controllerGroup" and "controllerKind". It is removed from the logger when the
// controller is added.
type kindSink struct {
	logr.LogSink
	kind schema.GroupKind
}

var _ logr.CallDepthLogSink = (*kindSink)(nil)

func withKindSink(l logr.Logger) logr.Logger {
	if l.GetSink() == nil {
		return l
	}
	return l.WithSink(&kindSink{LogSink: l.GetSink()})
}

func withoutKindSink(l logr.Logger) logr.Logger {
	if s, ok := l.GetSink().(*kindSink); ok {
		return l.WithSink(s.LogSink)
	}
	return l
}

func kindOfLogger(l logr.Logger) schema.GroupKind {
	if s, ok := l.GetSink().(*kindSink); ok {
		return s.kind
	}
	return schema.GroupKind{}
}

// Init does nothing: the sink below is initialised already.
func (s *kindSink) Init(logr.RuntimeInfo) {}

// WithValues implements logr.LogSink.
func (s *kindSink) WithValues(kv ...any) logr.LogSink {
	kind := s.kind
	for i := 0; i+1 < len(kv); i += 2 {
		switch value, _ := kv[i+1].(string); kv[i] {
		case "controllerGroup":
			kind.Group = value
		case "controllerKind":
			kind.Kind = value
		}
	}
	return &kindSink{s.LogSink.WithValues(kv...), kind}
}

// WithName implements logr.LogSink.
func (s *kindSink) WithName(name string) logr.LogSink {
	return &kindSink{s.LogSink.WithName(name), s.kind}
}

// WithCallDepth implements logr.CallDepthLogSink. Calls of the embedded sink add no frame.
func (s *kindSink) WithCallDepth(depth int) logr.LogSink {
	if inner, ok := s.LogSink.(logr.CallDepthLogSink); ok {
		return &kindSink{inner.WithCallDepth(depth), s.kind}
	}
	return s
}

// watchedKind is the kind of the objects of a controller's source.
type watchedKind struct {
	gvk    schema.GroupVersionKind
	byName bool // its handler requests the object itself
}

// isSourceHandler reports whether a handler is controller-runtime's handler that fills a queue from
// a source.
func isSourceHandler(h toolscache.ResourceEventHandler) bool {
	t := reflect.TypeOf(h)
	return t != nil && t.Kind() == reflect.Pointer && strings.HasSuffix(t.Elem().PkgPath(), "controller-runtime/pkg/internal/source")
}

// requestsByName reports whether a source's handler is handler.EnqueueRequestForObject. Reflection
// can read the dynamic type of the unexported field, but not its value.
func requestsByName(h toolscache.ResourceEventHandler) bool {
	v := reflect.Indirect(reflect.ValueOf(h))
	if v.Kind() != reflect.Struct {
		return false
	}
	f := v.FieldByName("handler")
	if !f.IsValid() || f.Kind() != reflect.Interface || f.IsNil() {
		return false
	}
	t := f.Elem().Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return strings.HasSuffix(t.PkgPath(), "controller-runtime/pkg/handler") && strings.HasPrefix(t.Name(), "TypedEnqueueRequestForObject[")
}

// reconciledObject returns an empty object of the controller's kind, or nil if the kind is unknown.
func (c *managedController[R]) reconciledObject() client.Object {
	c.mu.Lock()
	gvk := c.reconciledKind()
	c.mu.Unlock()
	if gvk.Kind == "" {
		return nil
	}
	if obj, err := c.m.cfg.scheme.New(gvk); err == nil {
		if o, ok := obj.(client.Object); ok {
			return o
		}
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	return u
}

// reconciledKind returns the kind of the controller: the builder's kind, else the only watched kind
// that is requested by name, else the watched kind with the controller's name. The caller holds the
// lock.
func (c *managedController[R]) reconciledKind() schema.GroupVersionKind {
	var byName, called schema.GroupVersionKind
	several := false
	for _, w := range c.watched {
		if w.gvk.GroupKind() == c.kind {
			return w.gvk
		}
		if w.byName {
			several = several || byName.Kind != "" && byName.GroupKind() != w.gvk.GroupKind()
			byName = w.gvk
		}
		if strings.EqualFold(w.gvk.Kind, c.name) {
			called = w.gvk
		}
	}
	switch {
	case c.kind.Kind != "":
		return preferred(c.m.cfg.scheme, c.kind)
	case byName.Kind != "" && !several:
		return byName
	default:
		return called
	}
}

// preferred returns a kind in the scheme's preferred version.
func preferred(scheme *runtime.Scheme, kind schema.GroupKind) schema.GroupVersionKind {
	if versions := scheme.VersionsForGroupKind(kind); len(versions) > 0 {
		return kind.WithVersion(versions[0].Version)
	}
	return kind.WithVersion("")
}
