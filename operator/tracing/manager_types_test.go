package tracing

import (
	"context"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// odd is a manager with parts of other types.
type odd struct {
	manager.Manager

	client client.Client
	reader client.Reader
	cache  cache.Cache
	server webhook.Server
}

func (o *odd) GetClient() client.Client         { return o.client }
func (o *odd) GetAPIReader() client.Reader      { return o.reader }
func (o *odd) GetCache() cache.Cache            { return o.cache }
func (o *odd) GetWebhookServer() webhook.Server { return o.server }

type (
	plainClient    struct{ client.Client }
	extendedCl     struct{ client.Client }
	extendedWatch  struct{ client.WithWatch }
	extendedReader struct{ client.Reader }
	extendedCache  struct{ cache.Cache }
	extendedServer struct{ webhook.Server }
)

func (*extendedCl) More()     {}
func (*extendedWatch) More()  {}
func (*extendedReader) More() {}
func (*extendedCache) More()  {}
func (*extendedServer) More() {}

// TestTypeAssertions: a part of a manager that an operator may ask for more methods stays as it is, and the log says so.
func TestTypeAssertions(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	fake := newFakeServer(t)
	for name, tc := range map[string]struct {
		odd  odd
		part func(manager.Manager) any
		want bool // unchanged
	}{
		"a client":               {odd{client: &plainClient{fake}}, func(m manager.Manager) any { return m.GetClient() }, false},
		"a client with a method": {odd{client: &extendedCl{fake}}, func(m manager.Manager) any { return m.GetClient() }, true},
		"a watch with a method":  {odd{client: &extendedWatch{fake}}, func(m manager.Manager) any { return m.GetClient() }, true},
		"a reader":               {odd{client: fake, reader: &plainClient{fake}}, func(m manager.Manager) any { return m.GetAPIReader() }, false},
		"a reader with a method": {odd{client: fake, reader: &extendedReader{fake}}, func(m manager.Manager) any { return m.GetAPIReader() }, true},
		"a cache":                {odd{cache: m.cache}, func(m manager.Manager) any { return m.GetCache() }, false},
		"a cache with a method":  {odd{cache: &extendedCache{m.cache}}, func(m manager.Manager) any { return m.GetCache() }, true},
		"a server":               {odd{server: m.inner.GetWebhookServer()}, func(m manager.Manager) any { return m.GetWebhookServer() }, false},
		"a server with a method": {odd{server: &extendedServer{m.inner.GetWebhookServer()}}, func(m manager.Manager) any { return m.GetWebhookServer() }, true},
		"a default server":       {odd{server: &webhook.DefaultServer{}}, func(m manager.Manager) any { return m.GetWebhookServer() }, true},
	} {
		tc.odd.Manager = m.inner
		wrapped := WrapManager(&tc.odd, WithTracerProvider(m.tp))
		got := tc.part(wrapped)
		if same := got == tc.part(&tc.odd); same != tc.want || tc.part(wrapped) != got {
			t.Errorf("%s: unchanged %t, want %t", name, same, tc.want)
		}
		skipped := strings.Join(wrapped.(*tracedManager).report.untraced, "\n")
		if logs := strings.Contains(skipped, "methods of its own"); logs != (tc.want && !strings.Contains(name, "default") && !strings.Contains(name, "reader")) {
			t.Errorf("%s: not traced: %q", name, skipped)
		}
	}
	if _, ok := WrapManager(m.inner).GetClient().(client.WithWatch); !ok {
		t.Error("the wrapped manager's client can no longer watch")
	}
}

// TestDefaultServer: the webhook server keeps its type, so that operators can change its options,
// and all webhooks are traced.
func TestDefaultServer(t *testing.T) {
	t.Parallel()
	inner := newManaged(t)
	m := WrapManager(&odd{Manager: inner.inner, server: webhook.NewServer(webhook.Options{})}, WithTracerProvider(inner.tp)).(*tracedManager)
	m.GetWebhookServer().(*webhook.DefaultServer).Options.CertName = "mine"
	if err := builder.WebhookManagedBy(m, &appsv1.Deployment{}).WithDefaulter(scaler{}).Complete(); err != nil {
		t.Fatal(err)
	}
	if got := m.report.webhooks; len(got) != 1 {
		t.Errorf("traced webhooks %q, want the builder's", got)
	}
	byHand := &admission.Webhook{Handler: admission.HandlerFunc(patching)}
	m.GetWebhookServer().Register("/mutate-by-hand", byHand)
	var registering sync.WaitGroup
	registering.Go(func() { m.GetWebhookServer().Register("/validate-late", &admission.Webhook{}) })
	m.traceRegistered()
	registering.Wait()
	create := admission.Request{AdmissionRequest: reviewOf(t, nil, submitted(), "alice", false)}
	if resp := byHand.Handle(t.Context(), create); !resp.Allowed || len(inner.tp.Spans()) != 1 || len(m.report.webhooks) != 2 {
		t.Errorf("allowed %t, spans %v, traced webhooks %q", resp.Allowed, spanNames(inner.tp.Spans()), m.report.webhooks)
	}
}

// TestInformers: an informer in a controller is a SharedIndexInformer if it is one without tracing.
func TestInformers(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	ctx := context.WithValue(t.Context(), observerKey{}, &managedController[string]{m: m.Manager.(*tracedManager)})
	for want, c := range map[bool]cache.Cache{true: m.cache, false: plainCache{m.cache}} {
		informer, err := (&tracedCache{c}).GetInformer(ctx, &appsv1.Deployment{})
		if _, ok := informer.(toolscache.SharedIndexInformer); ok != want || err != nil {
			t.Errorf("%T is shared: %t, want %t; error %v", informer, ok, want, err)
		}
		if _, err := informer.AddEventHandlerWithOptions(toolscache.ResourceEventHandlerFuncs{}, toolscache.HandlerOptions{}); err != nil {
			t.Error(err)
		}
	}
}

// plainCache has informers of another kind.
type plainCache struct{ cache.Cache }

func (c plainCache) GetInformer(ctx context.Context, obj client.Object, opts ...cache.InformerGetOption) (cache.Informer, error) {
	i, err := c.Cache.GetInformer(ctx, obj, opts...)
	return struct{ cache.Informer }{i}, err
}
