package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Apply applies objects with [FieldManager] and takes over fields that other managers own. The
// order is: definitions of kinds, Namespaces, objects that Pods refer to, custom resources, then
// workloads and webhooks. Within such a phase the order is undefined. Apply waits until definitions
// are ready, and until custom resources are ready if workloads follow.
//
// Until ctx ends, Apply retries failures that can pass: a kind or a webhook that is not served yet,
// an API server that starts. It does not change the given objects. It does not write a live object
// that needs no change, so its resourceVersion stays. One exception: if another manager applied to
// the object later, as a controller does that injects authorities into webhooks, the API server may once write the
// managed fields in a new order, because it sorts them by time. An object with an explicit zero value that
// the API server omits is sent again, and the API server writes nothing.
//
// On a shared cluster the error is a [*ForeignError] if an object belongs to another owner.
func Apply(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error {
	ordered := phases(objects)
	for number, phase := range ordered {
		if _, err := each(ctx, phase, c.applyOne); err != nil {
			return err
		}
		// A Pod that mounts the Secret of a Certificate starts sooner if the Secret exists: the
		// kubelet doubles the pause between its attempts.
		if number == phaseDefinitions || number == phaseCustom && len(ordered[phaseWorkloads]) > 0 {
			if err := WaitReady(ctx, c, phase); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyOne returns the object that it wanted, with the sandbox's marks.
func (c *Cluster) applyOne(ctx context.Context, obj *unstructured.Unstructured) (wanted *unstructured.Unstructured, err error) {
	what := "applying " + Describe(obj)
	if wanted, err = c.marked(obj); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return wanted, retry(ctx, what, func(ctx context.Context) error {
		live, err := read(ctx, c, wanted)
		switch {
		case err != nil:
			return err
		case live != nil && c.Shared() && !c.Owns(live):
			if phaseOf(live) == phaseNamespaces {
				return nil // The sandbox uses a Namespace of another owner as it is.
			}
			return Foreign(live)
		case live != nil && live.GetDeletionTimestamp() == nil && contains(live.Object, wanted.Object):
			// The equal hash shows that apply need not remove a field; the comparison shows that all
			// fields have their values. For the API server a read costs a tenth of an apply.
			return nil
		}
		return c.write(ctx, wanted)
	})
}

func (c *Cluster) write(ctx context.Context, obj *unstructured.Unstructured) error {
	done := func(error) {}
	if c.onApply != nil {
		ctx, done = c.onApply(ctx, obj)
	}
	// The client writes the response into the object that it sends.
	sent := client.ApplyConfigurationFromUnstructured(obj.DeepCopy())
	err := c.client.Apply(ctx, sent, client.FieldOwner(FieldManager), client.ForceOwnership)
	done(err)
	return err
}
