package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/project/condition"
)

const (
	// nudgeInterval is the time after which the deletion of a definition gets a nudge.
	nudgeInterval = 2 * time.Second
	// nudgeAnnotation is the annotation that a nudge changes.
	nudgeAnnotation = "operator-tracing-sandbox/nudged"
)

// deletion is the order of phases in which [Delete] works. Definitions are first, because the
// objects of their kinds are deleted with them and may have finalizers, which need a controller
// that still runs.
var deletion = [phaseCount]int{phaseDefinitions, phaseIntrusive, phaseWorkloads, phaseCustom, phaseSupport, phaseNamespaces}

// Delete deletes objects and waits until each is gone: definitions with all objects of their kinds,
// then workloads and webhooks, then the others. It ignores absent objects, and objects that do not
// have the sandbox's labels.
func Delete(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error {
	ordered := phases(objects)
	for _, number := range deletion {
		if _, err := each(ctx, ordered[number], c.deleteOne); err != nil {
			return err
		}
	}
	return nil
}

// deleteOne deletes an object and waits until it is gone. It returns the UID of the object, or ""
// if the object is absent or has another owner.
func (c *Cluster) deleteOne(ctx context.Context, obj *unstructured.Unstructured) (types.UID, error) {
	var uid types.UID
	err := retry(ctx, "deleting "+Describe(obj), func(ctx context.Context) error {
		live, err := read(ctx, c, obj)
		if err != nil || live == nil || !c.Owns(live) {
			return err
		}
		uid = live.GetUID()
		return ignore(Gone, c.delete(ctx, live))
	})
	if err != nil || uid == "" {
		return "", err
	}
	return uid, waitGone(ctx, c, obj, uid)
}

// delete sends the request to delete an object, unless another object has its name by now.
func (c *Cluster) delete(ctx context.Context, live *unstructured.Unstructured) error {
	return c.client.Delete(ctx, live, client.PropagationPolicy(metav1.DeletePropagationBackground),
		client.Preconditions{UID: new(live.GetUID())})
}

func waitGone(ctx context.Context, c *Cluster, obj *unstructured.Unstructured, deleted types.UID) error {
	nudged := time.Now()
	return Poll(ctx, "waiting for the deletion of "+Describe(obj), func(ctx context.Context) error {
		live, err := read(ctx, c, obj)
		if err != nil || live == nil || live.GetUID() != deleted {
			return err
		}
		if phaseOf(obj) == phaseDefinitions && time.Since(nudged) > nudgeInterval {
			nudged = time.Now()
			if err := nudge(ctx, c, live, nudged); err != nil {
				return ignore(Gone, err)
			}
		}
		text := fmt.Sprintf("still exists, finalizers %q, %s", live.GetFinalizers(), condition.Last(live))
		return errors.New(strings.TrimSuffix(text, ", "))
	})
}

// nudge changes a definition that is being deleted, so that the API server looks at it again.
//
// Otherwise its finalizer can sleep until the next resync, 5 minutes later. After "storage is
// (re)initializing" the finalizer retries with the definition from before its own last write of the
// status. It treats the conflict as a change by another writer and waits for an event. It then
// ignores that event, because only the condition Terminating differs. This happened with Kubernetes
// 1.37.2 in one deletion of ten.
func nudge(ctx context.Context, c *Cluster, live *unstructured.Unstructured, now time.Time) error {
	patch := fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`, nudgeAnnotation, now.UTC().Format(time.RFC3339))
	return c.client.Patch(ctx, live, client.RawPatch(types.MergePatchType, []byte(patch)))
}
