package install

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

	"github.com/operator-tracing/sandbox/sandbox/project"
)

// Cluster is the API server that components are installed into. It is made by [NewCluster] and is safe for
// concurrent use.
type Cluster struct {
	config    *rest.Config
	subject   project.Subject
	client    client.Client
	clientset kubernetes.Interface

	// sandbox is the sandbox's name on a cluster that others use too; see [Cluster.Share].
	sandbox string
	// onApply, if not nil, is called before an object is written; see [Cluster.OnApply].
	onApply func(context.Context, *unstructured.Unstructured) (context.Context, func(error))

	mu          sync.Mutex
	established time.Time // when the youngest definition that was waited for came to be served
}

// NewCluster returns the cluster that cfg points at, without talking to it yet. The subject is the operator that it runs or is to
// run; operator and sample are judged by it. cfg is copied. The copy has no
// client-side rate limit, because one sandbox command is the API server's only busy client, and drops the server's
// warnings, which would tear the progress lines apart.
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
	// One HTTP client for both, so that they share connections.
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("making an HTTP client for %s: %w", cfg.Host, err)
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme, HTTPClient: httpClient})
	if err != nil {
		return nil, fmt.Errorf("making a client for %s: %w", cfg.Host, err)
	}
	clientset, err := kubernetes.NewForConfigAndClient(cfg, httpClient)
	if err != nil {
		return nil, fmt.Errorf("making a clientset for %s: %w", cfg.Host, err)
	}
	return &Cluster{config: cfg, subject: subject, client: c, clientset: clientset}, nil
}

// holdUp is how long the API server keeps each creation of an object waiting whose definition is as young as this, asleep for
// that time whatever is left of it: in customresource_handler.go of k8s.io/apiextensions-apiserver, for the sake of several
// API servers.
const holdUp = 2 * time.Second

// noteEstablished remembers when a definition came to be served, from its condition.
func (c *Cluster) noteEstablished(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.established) {
		c.established = at
	}
}

// settle waits until the API server takes new objects of all kinds at once: a request sent earlier would come back later.
// It returns ctx's error if that ends first.
func (c *Cluster) settle(ctx context.Context) error {
	c.mu.Lock()
	left := time.Until(c.established.Add(holdUp))
	c.mu.Unlock()
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(min(left, holdUp)) // A clock that runs behind the API server's must not make it longer.
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Client returns the uncached client that the package itself uses. It knows the built-in kinds and
// CustomResourceDefinition; other kinds go through unstructured objects.
func (c *Cluster) Client() client.Client { return c.client }

// OnApply has begin called before each write of [Apply], which an object that is as it should be needs none of. The write's
// request has the context that begin returns, and done gets its outcome. Begin may be called by several goroutines at once. It is
// set before the first use; nil is none.
func (c *Cluster) OnApply(begin func(ctx context.Context, obj *unstructured.Unstructured) (_ context.Context, done func(error))) {
	c.onApply = begin
}
