package install

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// FieldManager is the field manager of every server-side apply of the sandbox.
	FieldManager = "operator-tracing-sandbox"
	// ManagedByLabel is on every object of a component, with the value [FieldManager].
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ComponentLabel is on every object of a component, with the component's name.
	ComponentLabel = "operator-tracing-sandbox/component"
	// VersionAnnotation is on every object of a component that has a version.
	VersionAnnotation = "operator-tracing-sandbox/version"
)

const (
	// retryInterval is how long a request rests that failed for a reason that passes.
	retryInterval = 200 * time.Millisecond
	// nudgeInterval is how long a definition may take to go before it is nudged, and then again.
	nudgeInterval = 2 * time.Second
	// nudgeAnnotation is what a nudge writes.
	nudgeAnnotation = "operator-tracing-sandbox/nudged"
	// parallelism bounds the requests in flight; more only queue in a small API server.
	parallelism = 8
)

// Apply applies objects server-side with [FieldManager], which takes the fields over that others own. Definitions of
// kinds come first, then Namespaces, then what Pods refer to, then custom resources, then workloads and webhooks; within
// such a phase the order is not defined. Definitions are waited for, and custom resources where workloads follow.
// What passes by itself is tried again until ctx ends: a kind or webhook that isn't served yet, an API server that
// starts. The objects given stay as they are, and so does a live object that already is as it should be, resourceVersion
// included. Where somebody else applied to it later (cert-manager's cainjector does, to webhooks), the API server may once
// write a new order of the managed fields and nothing else: it sorts them by time, and a repeated apply counts as new.
func Apply(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error {
	ordered := phases(objects)
	for number, phase := range ordered {
		err := each(ctx, phase, func(ctx context.Context, obj *unstructured.Unstructured) error { return applyOne(ctx, c, obj) })
		if err != nil {
			return err
		}
		// A Pod that mounts a Certificate's Secret starts sooner if it finds it: kubelet doubles the pause between
		// attempts.
		if number == phaseDefinitions || number == phaseCustom && len(ordered[phaseWorkloads]) > 0 {
			if err := WaitReady(ctx, c, phase); err != nil {
				return err
			}
		}
	}
	return nil
}

func applyOne(ctx context.Context, c *Cluster, obj *unstructured.Unstructured) error {
	what := "applying " + describe(obj)
	wanted, err := marked(c.signed(obj))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return retry(ctx, what, func(ctx context.Context) error {
		found, err := read(ctx, c, wanted)
		switch {
		case err != nil:
			return err
		case found != nil && !c.mayWrite(found):
			return c.spare(found)
		case found != nil && unchanged(found, wanted):
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
	// Apply writes the server's answer into what it is given.
	err := c.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj.DeepCopy()), client.FieldOwner(FieldManager), client.ForceOwnership)
	done(err)
	return err
}

// deletion is the order of phases in which [Delete] works: definitions first, because the objects of their kinds go with
// them and may carry finalizers that only a running controller removes.
var deletion = [phaseCount]int{phaseDefinitions, phaseWorkloads, phaseCustom, phaseSupport, phaseNamespaces}

// Delete deletes objects and waits until each is gone: definitions with everything of their kinds, then workloads and
// webhooks, then the rest. Absent objects are skipped, and so are those without the sandbox's label: somebody
// else's object of that name stays.
func Delete(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error {
	ordered := phases(objects)
	for _, number := range deletion {
		err := each(ctx, ordered[number], func(ctx context.Context, obj *unstructured.Unstructured) error {
			_, err := deleteOne(ctx, c, obj)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteOne deletes an object and waits until it is gone. It returns who that was, "" if it is absent or somebody else's.
func deleteOne(ctx context.Context, c *Cluster, obj *unstructured.Unstructured) (types.UID, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(obj.GroupVersionKind())
	key := client.ObjectKeyFromObject(obj)

	err := retry(ctx, "deleting "+describe(obj), func(ctx context.Context) error {
		if err := c.client.Get(ctx, key, live); err != nil {
			return ignore(gone, err)
		}
		if !c.owns(live) {
			return nil
		}
		err := c.client.Delete(ctx, live, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: new(live.GetUID())})
		return ignore(gone, err)
	})
	if err != nil || live.GetUID() == "" || !c.owns(live) {
		return "", err
	}
	return live.GetUID(), waitGone(ctx, c, obj, live.GetUID())
}

func waitGone(ctx context.Context, c *Cluster, obj *unstructured.Unstructured, deleted types.UID) error {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(obj.GroupVersionKind())
	nudged := time.Now()
	return poll(ctx, "waiting for the end of "+describe(obj), func(ctx context.Context) error {
		switch err := c.client.Get(ctx, client.ObjectKeyFromObject(obj), live); {
		case gone(err), err == nil && live.GetUID() != deleted:
			return nil
		case err != nil:
			return err
		}
		if phaseOf(obj) == phaseDefinitions && time.Since(nudged) > nudgeInterval {
			nudged = time.Now()
			if err := nudge(ctx, c, live, nudged); err != nil {
				return ignore(gone, err)
			}
		}
		return fmt.Errorf("still there, finalizers %q, %s", live.GetFinalizers(), lastCondition(live))
	})
}

// nudge changes a definition that is being deleted, so that the API server looks at it again. Its finalizer can go to
// sleep until the next resync, 5 minutes later: after "storage is (re)initializing" it tries again with the definition
// from before its own last status write, takes the conflict for somebody else's change, and waits for an event that it
// ignores, because only the condition Terminating differs (seen with Kubernetes 1.37.2, one deletion in ten).
func nudge(ctx context.Context, c *Cluster, live *unstructured.Unstructured, now time.Time) error {
	patch := fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`, nudgeAnnotation, now.UTC().Format(time.RFC3339))
	return c.client.Patch(ctx, live, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// gone says whether a failed request means that the object, or its kind, doesn't exist.
func gone(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }

// The phases of [Apply], in their order.
const (
	phaseDefinitions = iota
	phaseNamespaces
	phaseSupport
	phaseCustom
	phaseWorkloads
	phaseCount
)

func phases(objects []*unstructured.Unstructured) [phaseCount][]*unstructured.Unstructured {
	var out [phaseCount][]*unstructured.Unstructured
	for _, obj := range objects {
		p := phaseOf(obj)
		out[p] = append(out[p], obj)
	}
	return out
}

func phaseOf(obj *unstructured.Unstructured) int {
	gvk := obj.GroupVersionKind()
	switch group := gvk.Group; {
	case gvk.Kind == "CustomResourceDefinition":
		return phaseDefinitions
	case group == "" && gvk.Kind == "Namespace":
		return phaseNamespaces
	case group == "apps", group == "batch", group == "admissionregistration.k8s.io", group == "" && gvk.Kind == "Pod":
		return phaseWorkloads
	case !strings.Contains(group, "."), strings.HasSuffix(group, ".k8s.io"):
		return phaseSupport
	default:
		return phaseCustom
	}
}

func each(ctx context.Context, objects []*unstructured.Unstructured, do func(context.Context, *unstructured.Unstructured) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelism)
	for _, obj := range objects {
		group.Go(func() error { return do(ctx, obj) })
	}
	return group.Wait()
}

// retry runs try until it succeeds, fails for a reason that doesn't pass, or ctx ends. The error then holds the last
// failure, which says more than "context deadline exceeded".
func retry(ctx context.Context, what string, try func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, retryInterval, true, func(ctx context.Context) (bool, error) {
		err := try(ctx)
		if err == nil {
			return true, nil
		}
		if ctx.Err() == nil {
			last = err
		}
		if passes(err) || ctx.Err() != nil {
			return false, nil
		}
		return false, err
	})
	return explain(what, err, last)
}

// passes says whether a failed request is worth trying again unchanged.
func passes(err error) bool {
	var status apierrors.APIStatus
	switch {
	case meta.IsNoMatchError(err), apierrors.IsConflict(err), apierrors.IsServiceUnavailable(err), apierrors.IsTooManyRequests(err),
		apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.HasStatusCause(err, "NamespaceTerminating"),
		utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsProbableEOF(err):
		return true
	case apierrors.IsInternalError(err):
		// "failed calling webhook": its Pod isn't ready or its CA isn't injected.
		return strings.Contains(err.Error(), "webhook")
	case apierrors.IsNotFound(err) && errors.As(err, &status):
		// The path itself is unknown: the kind was defined a moment ago. A missing Namespace names itself and stays missing.
		return status.Status().Details == nil || status.Status().Details.Name == ""
	}
	return false
}

func ignore(is func(error) bool, err error) error {
	if is(err) {
		return nil
	}
	return err
}

// explain joins what was being done, why it ended and the last failure, leaving out what repeats.
func explain(what string, err, last error) error {
	switch {
	case err == nil:
		return nil
	case last == nil || errors.Is(err, last):
		return fmt.Errorf("%s: %w", what, err)
	default:
		return fmt.Errorf("%s: %w: last: %w", what, err, last)
	}
}

// describe names an object as a person would: "Deployment jaeger/jaeger", "Namespace jaeger".
func describe(obj *unstructured.Unstructured) string {
	if obj.GetNamespace() == "" {
		return obj.GetKind() + " " + obj.GetName()
	}
	return obj.GetKind() + " " + obj.GetNamespace() + "/" + obj.GetName()
}
