package main

import (
	"context"
	"errors"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readLimit is how long a read waits for the operator's own writes. They usually arrive within
// milliseconds.
const readLimit = 5 * time.Second

// boundedReads reads the cache as it is if it does not contain the operator's own writes in time.
//
// Without a bound, a read can wait for ever. If an object is deleted while the watch is interrupted,
// the next list does not contain it. Its last resourceVersion, for which a read waits after the
// deletion, then never arrives (controller-runtime v0.25.2). Fault runs found that: see docs/faults.md.
type boundedReads struct{ client.Client }

func newClient(cfg *rest.Config, options client.Options) (client.Client, error) {
	c, err := client.New(cfg, options)
	if err != nil {
		return nil, err
	}
	return boundedReads{c}, nil
}

// Get implements client.Client.
func (c boundedReads) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	limited, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	err := c.Client.Get(limited, key, obj, opts...)
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	return c.Client.Get(ctx, key, obj, append(opts, client.DisableReadYourWritesConsistency)...)
}
