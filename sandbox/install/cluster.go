package install

import (
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Cluster is the API server that components are installed into. It is made by [NewCluster] and is safe for
// concurrent use.
type Cluster struct {
	config    *rest.Config
	client    client.Client
	clientset kubernetes.Interface
}

// NewCluster returns the cluster that cfg points at, without talking to it yet. cfg is copied. The copy has no
// client-side rate limit, because one sandbox command is the API server's only busy client, and drops the server's
// warnings, which would tear the progress lines apart.
func NewCluster(cfg *rest.Config) (*Cluster, error) {
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
	return &Cluster{config: cfg, client: c, clientset: clientset}, nil
}

// Client returns the uncached client that the package itself uses. It knows the built-in kinds and
// CustomResourceDefinition; other kinds go through unstructured objects.
func (c *Cluster) Client() client.Client { return c.client }
