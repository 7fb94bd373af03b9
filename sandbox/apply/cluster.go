package apply

import (
	"context"
	"fmt"
	"sync"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/applytrace"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// Cluster is an API server. [NewCluster] creates it. It is safe for concurrent use.
type Cluster struct {
	config    *rest.Config
	subject   project.Subject
	client    client.Client
	clientset kubernetes.Interface

	// sandbox is the name of the sandbox on a shared cluster; see [Cluster.Share].
	sandbox string
	onApply func(ctx context.Context, live, obj *unstructured.Unstructured, send applytrace.Send) error

	mu          sync.Mutex
	established time.Time // when the newest definition that WaitReady saw was established
}

// NewCluster returns the cluster of a configuration, without sending a request. The subject is the
// operator that the cluster runs or will run; it decides when the operator and its sample are
// ready.
//
// NewCluster copies cfg. The copy has no rate limit, because a sandbox command is the only busy
// client. It ignores warnings of the API server, which would interrupt the lines of progress.
func NewCluster(cfg *rest.Config, subject project.Subject) (*Cluster, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1
	cfg.WarningHandlerWithContext = rest.NoWarnings{}

	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the built-in kinds: %w", err)
	}
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering CustomResourceDefinition: %w", err)
	}
	// Both clients share the connections of one HTTP client.
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("creating an HTTP client for %s: %w", cfg.Host, err)
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme, HTTPClient: httpClient})
	if err != nil {
		return nil, fmt.Errorf("creating a client for %s: %w", cfg.Host, err)
	}
	clientset, err := kubernetes.NewForConfigAndClient(cfg, httpClient)
	if err != nil {
		return nil, fmt.Errorf("creating a clientset for %s: %w", cfg.Host, err)
	}
	return &Cluster{config: cfg, subject: subject, client: c, clientset: clientset}, nil
}

// Client returns the uncached client of the package. It knows the built-in kinds and
// CustomResourceDefinition; other kinds need unstructured objects.
func (c *Cluster) Client() client.Client { return c.client }

// Clientset returns a client for logs, discovery and reviews of access.
func (c *Cluster) Clientset() kubernetes.Interface { return c.clientset }

// Config returns the configuration of the clients. The caller must not change it.
func (c *Cluster) Config() *rest.Config { return c.config }

// Subject returns the operator that the cluster runs or will run.
func (c *Cluster) Subject() project.Subject { return c.subject }

// OnApply sets a hook for the writes of [Apply]; objects that need no change need no write. The hook
// sends obj itself, and can change it; live is the object before, or nil. Several goroutines may call
// the hook at once. OnApply must be called before the first use of the cluster. Nil removes the hook.
func (c *Cluster) OnApply(hook func(ctx context.Context, live, obj *unstructured.Unstructured, send applytrace.Send) error) {
	c.onApply = hook
}

// creationDelay is how long the API server delays each creation of an object if its definition is
// younger than that. The delay does not shrink with the age of the definition. See
// customresource_handler.go of k8s.io/apiextensions-apiserver; it helps several API servers.
const creationDelay = 2 * time.Second

// Settle waits until the API server no longer delays the creation of objects, at most 2 s: a
// request that is sent earlier would return later. The error is ctx's.
func (c *Cluster) Settle(ctx context.Context) error {
	c.mu.Lock()
	left := time.Until(c.established.Add(creationDelay))
	c.mu.Unlock()
	if left <= 0 {
		return nil
	}
	// The minimum matters if the clock is behind the API server's.
	timer := time.NewTimer(min(left, creationDelay))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
