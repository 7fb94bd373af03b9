package operators

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var createOnce = Class{
	Name:  "create-once",
	Bug:   "It creates a child with a fixed name, then writes the status, and takes AlreadyExists as an error.",
	Buggy: simple(thing.Simple(createOnceBuggy)),
	Fixed: simple(thing.Simple(createOnceFixed)),
	Finds: []plan.Fault{plan.KillBefore, plan.KillAfter, plan.LostAnswer, plan.Refuse500, plan.Refuse409},
}

func createOnceBuggy(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.Status.Value == t.Spec.Value {
		return nil
	}
	// The status tells whether the child exists. If it could not be written, this fails forever.
	if err := c.Create(ctx, t.Owned("-child")); err != nil {
		return err
	}
	return t.Done(ctx, c)
}

func createOnceFixed(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.Status.Value == t.Spec.Value {
		return nil
	}
	if err := client.IgnoreAlreadyExists(c.Create(ctx, t.Owned("-child"))); err != nil {
		return err
	}
	return t.Done(ctx, c)
}

var generatedName = Class{
	Name:  "generated-name",
	Bug:   "It creates a child with generateName and records the name in the status afterwards.",
	Buggy: simple(thing.Simple(generatedNameBuggy)),
	Fixed: simple(thing.Simple(generatedNameFixed)),
	Finds: []plan.Fault{plan.KillBefore, plan.KillAfter, plan.LostAnswer, plan.Refuse500, plan.Refuse409},
}

func generatedNameBuggy(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.Status.Child != "" {
		return nil
	}
	child := t.Owned("-")
	child.GenerateName, child.Name = child.Name, ""
	if err := c.Create(ctx, child); err != nil {
		return err
	}
	// Without this write, the next attempt does not know the child and creates another one.
	return t.SetStatus(ctx, c, thing.Status{Child: child.Name, Value: t.Spec.Value})
}

func generatedNameFixed(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.Status.Child != "" {
		return nil
	}
	// The name follows from the Thing's. So a second attempt can't create a second child.
	child := t.Owned("-child")
	if err := client.IgnoreAlreadyExists(c.Create(ctx, child)); err != nil {
		return err
	}
	return t.SetStatus(ctx, c, thing.Status{Child: child.Name, Value: t.Spec.Value})
}
