// Package readonly has clients of an API server that can only read: a request of another method than
// GET is an error, and is not sent.
package readonly

import (
	"errors"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// Config returns a copy of a configuration whose clients only read. They do not limit their requests,
// because the API server does, and do not ask for compressed responses: to compress each event of a watch
// costs the API server more time than to encode it.
func Config(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.DisableCompression = true
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return guard{next} })
	return config
}

// guard refuses to send a request that could write something.
type guard struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (g guard) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet {
		return nil, fmt.Errorf("refusing to send %s %s: an observer only reads", request.Method, request.URL.Path)
	}
	return g.next.RoundTrip(request)
}

// Client reads objects. Create it with [New].
type Client struct {
	// Metadata and Discovery are clients of the same API server.
	Metadata  metadata.Interface
	Discovery *discovery.DiscoveryClient

	builtin, custom dynamic.Interface
}

// New returns a client. It wraps the configuration with [Config].
func New(config *rest.Config) (*Client, error) {
	config = Config(config)
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	var c Client
	var errs [4]error
	c.Metadata, errs[0] = metadata.NewForConfigAndClient(config, transport)
	c.Discovery, errs[1] = discovery.NewDiscoveryClientForConfigAndClient(config, transport)
	config.NegotiatedSerializer = codecs{newBinary()}
	for i, accept := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON} {
		config.AcceptContentTypes = accept
		var client *rest.RESTClient
		client, errs[2+i] = rest.UnversionedRESTClientForConfigAndClient(config, transport)
		c.custom, c.builtin = c.builtin, dynamic.New(client)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	return &c, nil
}

// Resource returns a client of a resource with its kind. It reads kinds of Kubernetes in protobuf, which
// costs the API server and the client less time than JSON. All objects are unstructured.
func (c *Client) Resource(r schema.GroupVersionResource, kind string) dynamic.NamespaceableResourceInterface {
	if scheme.Scheme.Recognizes(r.GroupVersion().WithKind(kind)) {
		return c.builtin.Resource(r)
	}
	return c.custom.Resource(r)
}
