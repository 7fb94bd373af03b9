package tracing

import (
	"context"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tracedWatcher is a wrapped client.WithWatch.
type tracedWatcher struct {
	*tracedClient

	watcher client.WithWatch
}

var _ client.WithWatch = (*tracedWatcher)(nil)

// Watch implements client.WithWatch.
func (w *tracedWatcher) Watch(ctx context.Context, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
	return w.watcher.Watch(ctx, list, opts...)
}

// dryRunClient is a client that only makes dry runs, which have no spans. Its reads tell a reconciler what it reconciles.
type dryRunClient struct {
	client.Client

	reads *tracedClient
}

// Get implements client.Reader.
func (c *dryRunClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	return c.reads.Get(ctx, key, obj, opts...)
}

// List implements client.Reader.
func (c *dryRunClient) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return c.reads.List(ctx, list, opts...)
}

// isTraced reports whether a client is one that WrapClient returns.
func isTraced(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[*tracedClient](), reflect.TypeFor[*tracedWatcher](), reflect.TypeFor[*dryRunClient]():
		return true
	}
	return false
}

// clientLayers returns the type of a client and, if controller-runtime made it around another client, the types of the clients inside.
// Only the types can be read, because controller-runtime does not export its fields.
func clientLayers(c client.Client) []reflect.Type {
	var layers []reflect.Type
	for v := reflect.ValueOf(c); v.IsValid(); v = clientInside(v) {
		layers = append(layers, v.Type())
	}
	return layers
}

// clientInside returns the client that a client of controller-runtime has in a field. It is invalid if there is none.
func clientInside(v reflect.Value) reflect.Value {
	v = reflect.Indirect(v)
	if v.Kind() != reflect.Struct || !strings.HasPrefix(v.Type().PkgPath(), controllerRuntime) {
		return reflect.Value{}
	}
	for i := range v.NumField() {
		switch v.Field(i).Type() {
		case reflect.TypeFor[client.Client](), reflect.TypeFor[client.WithWatch]():
			return v.Field(i).Elem()
		}
	}
	return reflect.Value{}
}

// hasLayer reports whether one of the types has a name. Types of controller-runtime that are not exported have only that. If a new version
// renames one, the spans say less or name dry runs.
func hasLayer(layers []reflect.Type, name string) bool {
	for _, t := range layers {
		if t.String() == name {
			return true
		}
	}
	return false
}

// controllerRuntime is the prefix of the import paths of controller-runtime's packages.
const controllerRuntime = "sigs.k8s.io/controller-runtime/"
