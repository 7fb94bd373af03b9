package operators

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var external = Class{
	Name:  "external-call",
	Bug:   "It calls a service outside the cluster and records the result afterwards. A second attempt calls again.",
	Buggy: simple(thing.Simple(externalBuggy)),
	Fixed: simple(thing.Simple(externalFixed)),
	Finds: []plan.Fault{plan.KillBefore, plan.Refuse500, plan.Refuse409},
}

// service stands for an API outside the cluster that charges an account. It outlives the operators.
type service struct {
	mu      sync.Mutex
	charges map[types.UID]int // by account
	results map[types.UID]int // by key of the call
}

var payments = &service{charges: map[types.UID]int{}, results: map[types.UID]int{}}

// charge charges the account and returns the number of its charges. A call with the key of an earlier call
// returns the earlier result and does nothing. Without a key, each call charges the account.
func (s *service) charge(account, key types.UID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, called := s.results[key]; called {
		return n
	}
	s.charges[account]++
	if key != "" {
		s.results[key] = s.charges[account]
	}
	return s.charges[account]
}

func externalBuggy(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.Status.ID != 0 {
		return nil
	}
	id := payments.charge(t.UID, "")
	return t.SetStatus(ctx, c, thing.Status{ID: id, Value: t.Spec.Value})
}

func externalFixed(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.Status.ID != 0 {
		return nil
	}
	// The key is the same in each attempt. So the service recognises a repeated call.
	id := payments.charge(t.UID, t.UID)
	return t.SetStatus(ctx, c, thing.Status{ID: id, Value: t.Spec.Value})
}
