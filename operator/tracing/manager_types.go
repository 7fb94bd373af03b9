package tracing

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

// extended reports whether the type of v has more methods than the interface I. Operators may ask for them with a type assertion, which
// a wrapper would fail. Types of controller-runtime are not exported, so that operators can ask them only for its interfaces.
func extended[I any](v any) bool {
	return !isNil(v) && !strings.HasPrefix(indirectType(v).PkgPath(), controllerRuntime) &&
		reflect.TypeOf(v).NumMethod() > reflect.TypeFor[I]().NumMethod()
}

// extendedClient is extended for the interfaces of clients.
func extendedClient(v client.Reader) bool {
	switch v.(type) {
	case client.WithWatch:
		return extended[client.WithWatch](v)
	case client.Client:
		return extended[client.Client](v)
	default:
		return extended[client.Reader](v)
	}
}

// calledByBuilder reports whether controller-runtime's builder called the caller.
func calledByBuilder() bool {
	pc, _, _, ok := runtime.Caller(2)
	return ok && strings.HasPrefix(runtime.FuncForPC(pc).Name(), controllerRuntime+"pkg/builder.")
}

// traceRegistered wraps the webhooks that were registered on the manager's own server.
func (m *tracedManager) traceRegistered() {
	s := m.plain.Load()
	if s == nil {
		return
	}
	defer func() {
		if problem := recover(); problem != nil {
			m.report.skipped("webhooks of %T: %v", s, problem)
		}
	}()
	hooks := registered(s)
	for _, path := range slices.Sorted(maps.Keys(hooks)) {
		m.traceWebhook(path, hooks[path])
	}
}

// registered returns the webhooks of a server by their path. It panics if the server's fields have
// other names or types than expected.
func registered(s *webhook.DefaultServer) map[string]http.Handler {
	mu, hooks := unexported[sync.Mutex](s, "mu"), unexported[map[string]http.Handler](s, "webhooks")
	mu.Lock()
	defer mu.Unlock()
	return maps.Clone(*hooks)
}

// unexported returns a field of the type T that is not exported.
func unexported[T any](s *webhook.DefaultServer, name string) *T {
	f := reflect.ValueOf(s).Elem().FieldByName(name)
	if !f.IsValid() || f.Type() != reflect.TypeFor[T]() {
		panic(fmt.Sprintf("no field %s", name))
	}
	return (*T)(f.Addr().UnsafePointer())
}
