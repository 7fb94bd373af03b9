package tracing

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

// WrapManager traces a whole operator. It wraps the client of mgr, every controller that is added to it
// with its reconciler, queue and triggers, and every mutating webhook that is registered on its server.
// Call it right after the manager is created, and use the returned manager from then on.
//
// Explicit wrappers can be used as well: what is wrapped twice is traced once. [WithScheme] defaults to the
// manager's scheme. Controllers must have requests of type reconcile.Request; [WithRequestType] adds others.
//
// Validating and conversion webhooks stay as they are. A raw handler counts as mutating if its path
// contains "mutate", or else from its first response with a patch on. A context function of a webhook
// is called with the context that [WebhookContext] returns.
//
// The kind of a controller is the one that the builder's For names. For a controller that is created by hand it
// is the only kind whose events it handles with handler.EnqueueRequestForObject, or the watched kind that is
// called like the controller. If there is none, its span is "reconcile" alone.
//
// A client, cache or webhook server whose type has more methods than controller-runtime's interface stays as it is, because operators may
// ask for them with a type assertion. A *webhook.DefaultServer stays one: webhooks that are registered on it by hand are wrapped by Start.
//
// Start logs one line that names the traced controllers and webhooks, and what cannot be traced and why.
// Nothing here panics or fails because of tracing: what cannot be wrapped stays as it is. A nil mgr, and one
// that is wrapped already, is returned unchanged. While tracing is off, everything passes through.
//
// The user names in the manager's rest.Config become identities of this process: webhooks trust them.
// The manager is as safe for concurrent use as mgr.
func WrapManager(mgr manager.Manager, opts ...Option) manager.Manager {
	if isNil(mgr) {
		return mgr
	}
	if _, ok := mgr.(*tracedManager); ok {
		return mgr
	}
	m := &tracedManager{Manager: mgr, opts: append([]Option{WithScheme(mgr.GetScheme())}, opts...)}
	m.cfg = newConfig(m.opts)
	m.types = requestTypes(opts)
	m.client = sync.OnceValue(m.wrapClient)
	m.reader = sync.OnceValue(m.wrapReader)
	m.cache = sync.OnceValue(m.wrapCache)
	m.server = sync.OnceValue(m.wrapServer)
	registerIdentity(configUsernames(mgr.GetConfig())...)
	return m
}

// tracedManager is a manager that wraps what passes through it. Methods that it does not have are the manager's.
type tracedManager struct {
	manager.Manager

	opts   []Option
	cfg    *config
	types  []requestType
	client func() client.Client
	reader func() client.Reader
	cache  func() cache.Cache
	server func() webhook.Server
	plain  atomic.Pointer[webhook.DefaultServer] // whose webhooks Start wraps
	report report
}

// GetClient implements cluster.Cluster.
func (m *tracedManager) GetClient() client.Client { return m.client() }

// GetAPIReader implements cluster.Cluster. A reconciler may read its object there.
func (m *tracedManager) GetAPIReader() client.Reader { return m.reader() }

// GetCache implements cluster.Cluster.
func (m *tracedManager) GetCache() cache.Cache { return m.cache() }

// GetWebhookServer implements manager.Manager. Operators assert that the server is a *webhook.DefaultServer and change its options. So only
// the builder gets a server that wraps webhooks when they are registered; Start wraps the others.
func (m *tracedManager) GetWebhookServer() webhook.Server {
	if s, ok := m.Manager.GetWebhookServer().(*webhook.DefaultServer); ok && !calledByBuilder() {
		m.plain.Store(s)
		return s
	}
	return m.server()
}

// GetLogger implements manager.Manager. The builder tells this logger the kind of its controller.
func (m *tracedManager) GetLogger() logr.Logger { return withKindSink(m.Manager.GetLogger()) }

// Add implements manager.Manager.
func (m *tracedManager) Add(r manager.Runnable) error { return m.Manager.Add(m.trace(r)) }

// Start implements manager.Manager.
func (m *tracedManager) Start(ctx context.Context) error {
	m.traceRegistered()
	m.report.start(m.Manager.GetLogger().WithName("tracing"), !m.cfg.off())
	return m.Manager.Start(ctx)
}

func (m *tracedManager) wrapClient() client.Client {
	inner := m.Manager.GetClient()
	if extendedClient(inner) {
		m.report.skipped("client %T: it has methods of its own; use WrapClient on the client inside", inner)
		return inner
	}
	return WrapClient(inner, m.opts...)
}

func (m *tracedManager) wrapReader() client.Reader {
	inner := m.Manager.GetAPIReader()
	if c := m.Manager.GetClient(); !isNil(inner) && !isNil(c) && !extendedClient(inner) {
		return WrapClient(&uncachedClient{c, inner}, m.opts...)
	}
	return inner
}

// uncachedClient is a client whose reads are those of a reader.
type uncachedClient struct {
	client.Client
	reader client.Reader
}

// Get implements client.Reader.
func (u *uncachedClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	return u.reader.Get(ctx, key, obj, opts...)
}

// List implements client.Reader.
func (u *uncachedClient) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return u.reader.List(ctx, list, opts...)
}

// report collects what is logged when the manager starts. It is safe for concurrent use.
type report struct {
	mu                              sync.Mutex
	started                         bool
	logger                          logr.Logger
	controllers, webhooks, untraced []string
}

// traced notes a wrapped controller or webhook. The lists end with the start, so they are bounded.
func (r *report) traced(list *[]string, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started && !slices.Contains(*list, name) {
		*list = append(*list, name)
	}
}

// skipped notes what is not traced, or logs it after the start.
func (r *report) skipped(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reason := fmt.Sprintf(format, args...)
	if r.started {
		r.logger.Info("Not traced", "reason", reason)
		return
	}
	r.untraced = append(r.untraced, reason)
}

func (r *report) start(l logr.Logger, enabled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	values := []any{"enabled", enabled, "controllers", r.controllers, "webhooks", r.webhooks}
	if len(r.untraced) > 0 {
		values = append(values, "notTraced", r.untraced)
	}
	l.Info("Tracing the manager", values...)
	r.started, r.logger = true, l
	r.controllers, r.webhooks, r.untraced = nil, nil, nil
}
