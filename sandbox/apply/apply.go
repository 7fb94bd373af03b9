package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Apply applies objects with [FieldManager] and takes over fields that other managers own. The
// order is: definitions of kinds, Namespaces, objects that Pods refer to, custom resources, then
// workloads and webhooks. Within such a phase the order is undefined. Apply waits until definitions
// are ready, and until certificates are ready if workloads follow. Webhooks that can reject Pods are
// last, after the workloads are ready: they may be served by these.
//
// If an immutable field of an object differs, Apply deletes the sandbox's object and creates it
// again, unless users have data in it.
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
	if len(ordered[phaseIntrusive]) > 0 && len(ordered[phaseWorkloads]) > 0 {
		if err := FreeWebhooks(ctx, c); err != nil {
			return err
		}
	}
	for number, phase := range ordered {
		if _, err := each(ctx, phase, c.applyOne); err != nil {
			return err
		}
		// A Pod that mounts the Secret of a Certificate starts sooner if the Secret exists: the
		// kubelet doubles the pause between its attempts.
		switch {
		case number == phaseCustom && len(ordered[phaseWorkloads]) > 0:
			phase = issued(phase)
		case number == phaseWorkloads && len(ordered[phaseIntrusive]) > 0:
			phase = RolledOut(phase)
		case number != phaseDefinitions:
			continue
		}
		if err := WaitReady(ctx, c, phase); err != nil {
			return err
		}
	}
	return nil
}

// issued returns the objects of cert-manager. Other custom resources may need the operator, which
// does not run yet.
func issued(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(obj *unstructured.Unstructured) bool {
		return !component.Named(component.CertManager).Owns(obj.GroupVersionKind().Group)
	})
}

// RolledOut returns the workloads among objects.
func RolledOut(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(obj *unstructured.Unstructured) bool {
		return obj.GroupVersionKind().Group != appsv1.GroupName
	})
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
		err = c.write(ctx, live, wanted)
		if live == nil || !c.Owns(live) || !immutable(err, wanted) {
			return err
		}
		if _, err := c.deleteOne(ctx, wanted); err != nil {
			return err
		}
		return c.write(ctx, nil, wanted)
	})
}

// immutable reports whether a write failed because it changes an immutable field, and whether the
// object can be created again without a loss.
func immutable(err error, obj *unstructured.Unstructured) bool {
	switch phase := phaseOf(obj); {
	case phase == phaseDefinitions, phase == phaseNamespaces, phase == phaseCustom, strings.HasPrefix(obj.GetKind(), "PersistentVolume"):
		return false
	}
	return apierrors.IsInvalid(err) && slices.ContainsFunc([]string{"immutable", "cannot change roleRef", "updates to statefulset spec"}, func(text string) bool {
		return strings.Contains(err.Error(), text)
	})
}

// write applies a copy of obj. live is the object before, or nil.
func (c *Cluster) write(ctx context.Context, live, obj *unstructured.Unstructured) error {
	if c.onApply != nil {
		return c.onApply(ctx, live, obj.DeepCopy(), c.send)
	}
	return c.send(ctx, obj.DeepCopy())
}

// send applies obj, and stores the response in it.
func (c *Cluster) send(ctx context.Context, obj *unstructured.Unstructured, options ...client.ApplyOption) error {
	options = append(options, client.FieldOwner(FieldManager), client.ForceOwnership)
	return c.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), options...)
}
