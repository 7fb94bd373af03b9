package operators

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var swallowed = Class{
	Name:  "swallowed-error",
	Bug:   "It logs an error and returns nil, so the Thing is not requeued.",
	Buggy: simple(thing.Simple(swallowedBuggy)),
	Fixed: simple(thing.Simple(swallowedFixed)),
	Finds: []plan.Fault{plan.Refuse500},
}

func swallowedBuggy(ctx context.Context, c client.Client, t *thing.Thing) error {
	if err := swallowedFixed(ctx, c, t); err != nil {
		logf.FromContext(ctx).Error(err, "Failed to reconcile the Thing")
	}
	return nil // controller-runtime takes it for done
}

func swallowedFixed(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.Status.Value == t.Spec.Value {
		return nil
	}
	if err := client.IgnoreAlreadyExists(c.Create(ctx, t.Owned("-child"))); err != nil {
		return err
	}
	return t.Done(ctx, c)
}
