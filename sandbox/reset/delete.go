package reset

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

const (
	// deleteLimit limits the deletion of all objects.
	deleteLimit = 2 * time.Minute
	// deletePause is the pause between two looks.
	deletePause = 200 * time.Millisecond
	// grace is the time for containers to end, in seconds.
	grace = 1
)

// Delete deletes the objects that list returns until it returns none, for at most two minutes. It
// removes finalizers that no controller removed within the time of patience. Until then, objects that are
// not of custom kinds stay: one of them may be the controller. Outcome.Stayed has the objects that still
// exist at the end.
func Delete(ctx context.Context, c *apply.Cluster, list func(context.Context) ([]Object, error), patience time.Duration, report Report) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, deleteLimit)
	defer cancel()
	var out Outcome
	var left []Object
	var failed map[string]error
	for start := time.Now(); ; {
		now, err := list(ctx)
		switch {
		case err == nil:
			left = now
		case out.Deleted == nil || ctx.Err() != context.DeadlineExceeded:
			return out, err
		}
		if out.Deleted == nil {
			out.Deleted = append([]string{}, Names(Users(left))...)
		}
		if len(left) == 0 {
			return out, nil
		}
		if ctx.Err() == context.DeadlineExceeded {
			out.Stayed = stayed(left, failed)
			return out, nil
		}
		report("%d objects to delete", len(left))
		d := deletion{cluster: c, late: time.Since(start) > patience, custom: slices.ContainsFunc(left, isCustom)}
		failed = d.all(ctx, left)
		select {
		case <-ctx.Done():
		case <-time.After(deletePause):
		}
	}
}

// stayed describes objects that still exist.
func stayed(objects []Object, failed map[string]error) []string {
	described := make([]string, 0, len(objects))
	for _, o := range objects {
		reason := "it is being deleted"
		switch {
		case failed[o.Key] != nil:
			reason = failed[o.Key].Error()
		case len(o.Finalizers) > 0:
			reason = "finalizers " + strings.Join(o.Finalizers, ", ")
		}
		described = append(described, o.String()+": "+reason)
	}
	slices.Sort(described)
	return described
}

// isCustom reports whether a CustomResourceDefinition defines the kind of an object.
func isCustom(o Object) bool { return kinds.Custom(o.Kind.Group) }

// deletion is one round of requests.
type deletion struct {
	cluster *apply.Cluster
	late    bool // patience is over
	custom  bool // objects of custom kinds are left
}

// all sends one request for each object. It returns the errors by the keys of the objects.
func (d deletion) all(ctx context.Context, objects []Object) map[string]error {
	errs := make([]error, len(objects))
	indexes := make([]int, len(objects))
	for i := range objects {
		indexes[i] = i
	}
	_ = each(ctx, indexes, func(ctx context.Context, i int) error {
		if d.custom && !d.late && !isCustom(objects[i]) {
			return nil
		}
		errs[i] = d.one(ctx, objects[i])
		return nil // The others are deleted too.
	})
	failed := map[string]error{}
	for i, err := range errs {
		if err != nil && !apply.Gone(err) && !apierrors.IsConflict(err) {
			failed[objects[i].Key] = err
		}
	}
	return failed
}

// one requests the deletion of an object, or removes its finalizers.
func (d deletion) one(ctx context.Context, o Object) error {
	obj := kinds.New(o.Kind, o.Namespace, o.Name)
	isPod := o.Kind.Group == "" && o.Kind.Kind == "Pod"
	if o.DeletionTimestamp == nil || isPod && !d.late {
		options := []client.DeleteOption{client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &o.UID}}
		if isPod {
			options = append(options, client.GracePeriodSeconds(grace))
		}
		return d.cluster.Client().Delete(ctx, obj, options...)
	}
	if !d.late || len(o.Finalizers) == 0 || o.Kind.Kind == "CustomResourceDefinition" && d.custom {
		return nil
	}
	patch := fmt.Sprintf(`{"metadata": {"uid": %q, "finalizers": null}}`, o.UID)
	return d.cluster.Client().Patch(ctx, obj, client.RawPatch(types.MergePatchType, []byte(patch)))
}
