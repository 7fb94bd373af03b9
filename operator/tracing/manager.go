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

// WrapManager traces a whole operator. It wraps the client of mgr, every controller that is added
// to mgr with its reconciler, queue and triggers, and every mutating webhook that is registered on
// the webhook server. Call it right after the manager is created, and use the returned manager from
// then on.
//
// It can be combined with the single wrappers: an object that is wrapped twice is traced once.
// [WithScheme] defaults to the manager's scheme. Requests of controllers must have type
// reconcile.Request; [WithRequestType] adds other types.
//
// Validating and conversion webhooks are not changed. A raw handler counts as mutating if its path
// contains "mutate", or after its first response with a patch. The context function of a webhook
// receives the context that [WebhookContext] returns.
//
// The kind of a controller is the kind in the builder's For. A controller that is created without a
// builder has the only kind that it handles with handler.EnqueueRequestForObject, or else the
// watched kind with the controller's name. Otherwise its spans are called "reconcile".
//
// A client, cache or webhook server with more methods than controller-runtime's interface is not
// wrapped, because operators may use type assertions on it. A *webhook.DefaultServer keeps its
// type: Start wraps the webhooks that are registered on it without the builder.
//
// Start logs one line with the traced controllers and webhooks, and with the reasons why others are
// not traced. WrapManager does not panic and does not fail: what it cannot wrap stays unchanged. It
// returns mgr itself if mgr is nil or wrapped already. While tracing is off, calls pass through.
//
// The user names in the manager's rest.Config become identities of this process, which webhooks
// trust. The manager is as safe for concurrent use as mgr.
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

// tracedManager wraps the parts of a manager when they are added or requested. Methods that it does
// not define are the manager's.
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

// GetAPIReader implements cluster.Cluster. It is wrapped because a reconciler may read its object
// through it.
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

// GetLogger implements manager.Manager. The builder adds the kind of its controller to this logger.
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

// uncachedClient is a client that reads through a reader.
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

// report collects the values of the line that Start logs. It is safe for concurrent use.
type report struct {
	mu                              sync.Mutex
	started                         bool
	logger                          logr.Logger
	controllers, webhooks, untraced []string
}

// traced records a wrapped controller or webhook. It records nothing after the start, so the lists
// are bounded.
func (r *report) traced(list *[]string, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started && !slices.Contains(*list, name) {
		*list = append(*list, name)
	}
}

// skipped records why something is not traced. After the start it logs the reason instead.
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
