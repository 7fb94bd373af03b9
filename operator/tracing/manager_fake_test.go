package tracing

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// fakeCache is a cache without objects that delivers the test's events.
type fakeCache struct {
	cache.Cache
	mu       sync.Mutex
	handlers map[schema.GroupVersionKind][]toolscache.ResourceEventHandler
}

type fakeInformer struct {
	toolscache.SharedIndexInformer
	cache *fakeCache
	gvk   schema.GroupVersionKind
}

type fakeRegistration struct {
	toolscache.ResourceEventHandlerRegistration
}

func (fakeRegistration) HasSynced() bool { return true }

func (c *fakeCache) GetInformer(_ context.Context, obj client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	return &fakeInformer{cache: c, gvk: kindOf(obj, clientgoscheme.Scheme)}, nil
}

func (c *fakeCache) WaitForCacheSync(context.Context) bool { return true }

func (c *fakeCache) Start(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (i *fakeInformer) AddEventHandlerWithOptions(h toolscache.ResourceEventHandler, _ toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	i.cache.mu.Lock()
	defer i.cache.mu.Unlock()
	i.cache.handlers[i.gvk] = append(i.cache.handlers[i.gvk], h)
	return fakeRegistration{}, nil
}

func (c *fakeCache) deliver(obj client.Object, f func(toolscache.ResourceEventHandler)) {
	c.mu.Lock()
	handlers := slices.Clone(c.handlers[kindOf(obj, clientgoscheme.Scheme)])
	c.mu.Unlock()
	for _, h := range handlers {
		f(h)
	}
}

func (c *fakeCache) update(obj client.Object) {
	c.deliver(obj, func(h toolscache.ResourceEventHandler) { h.OnUpdate(obj, obj) })
}

// managed is a wrapped manager without a cluster.
type managed struct {
	manager.Manager
	inner  manager.Manager
	cache  *fakeCache
	tp     *tracingtest.TracerProvider
	logs   *logLines
	server client.Client
}

// fakeWebhookServer is a server that does not listen.
type fakeWebhookServer struct{ webhook.Server }

func (fakeWebhookServer) Start(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func newInnerManager(t *testing.T, m *managed) {
	t.Helper()
	inner, err := manager.New(&rest.Config{Host: "127.0.0.1:1", Username: "manager-test"}, manager.Options{
		Logger:  m.logs.logger(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
			return testrestmapper.TestOnlyStaticRESTMapper(clientgoscheme.Scheme), nil
		},
		NewCache:      func(*rest.Config, cache.Options) (cache.Cache, error) { return m.cache, nil },
		NewClient:     func(*rest.Config, client.Options) (client.Client, error) { return m.server, nil },
		WebhookServer: fakeWebhookServer{webhook.NewServer(webhook.Options{})},
		Controller:    ctrlconfig.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.inner = inner
}

func newManaged(t *testing.T, opts ...Option) *managed {
	t.Helper()
	m := &managed{
		cache:  &fakeCache{handlers: map[schema.GroupVersionKind][]toolscache.ResourceEventHandler{}},
		tp:     tracingtest.NewTracerProvider(),
		logs:   &logLines{},
		server: newFakeServer(t, deployment("owner")),
	}
	newInnerManager(t, m)
	m.Manager = WrapManager(m.inner, append([]Option{WithTracerProvider(m.tp)}, opts...)...)
	return m
}

// start starts the manager, and waits until each kind has the given number of handlers.
func (m *managed) start(t *testing.T, handlers int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start() = %v", err)
		}
	})
	until(t, "sources are started", func() bool {
		m.cache.mu.Lock()
		defer m.cache.mu.Unlock()
		n := 0
		for _, h := range m.cache.handlers {
			n += len(h)
		}
		return n == handlers
	})
}

func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for tick := time.Tick(time.Millisecond); !reached(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("waiting until %s: timed out", what)
		}
	}
}

// creator creates a ConfigMap in each reconcile, so that each reconcile has a span.
func (m *managed) creator() reconcile.Reconciler {
	c := m.GetClient()
	return reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		cm := configMap("")
		cm.GenerateName = req.Name + "-"
		return reconcile.Result{}, c.Create(ctx, cm)
	})
}

// logged returns the lines of the log.
func (m *managed) logged() []string {
	m.logs.mu.Lock()
	defer m.logs.mu.Unlock()
	return slices.Clone(m.logs.lines)
}

// reconciles waits for n spans of reconciles and returns them.
func (m *managed) reconciles(t *testing.T, n int) []tracingtest.Span {
	t.Helper()
	var out []tracingtest.Span
	until(t, "reconciles have ended", func() bool {
		out = slices.DeleteFunc(m.tp.Spans(), func(s tracingtest.Span) bool { return !strings.HasPrefix(s.Name, "reconcile") })
		return len(out) >= n
	})
	return out
}

func attributeText(s tracingtest.Span, key string) string {
	for _, a := range s.Attributes {
		if string(a.Key) == key {
			return a.Value.AsString()
		}
	}
	return ""
}
