package controller

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// retryAfterConflict is the delay before the next reconcile after a conflict. The event of the other write
// usually arrives sooner.
const retryAfterConflict = 200 * time.Millisecond

// verdict is a step's result for the Ready condition.
type verdict struct {
	ready   bool
	reason  string
	message string
}

// step is a part of a reconcile. A verdict ends the reconcile and becomes the Ready condition, also
// with an error. An error without a verdict ends the reconcile and does not change the condition.
// If both are nil, the next step runs.
type step func(ctx context.Context) (*verdict, error)

// runSteps runs the steps in order and records the verdict in status.
func runSteps(ctx context.Context, status *v1alpha1.ReadyStatus, generation int64, steps []step) error {
	for _, next := range steps {
		v, err := next(ctx)
		if v != nil {
			record(status, generation, *v)
			return err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// record writes a verdict about a generation to status. The transition time of the condition changes only
// together with the condition's status.
func record(status *v1alpha1.ReadyStatus, generation int64, v verdict) {
	state := metav1.ConditionFalse
	if v.ready {
		state = metav1.ConditionTrue
	}
	status.Ready = v.ready
	status.ObservedGeneration = generation
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type:               v1alpha1.ConditionReady,
		Status:             state,
		ObservedGeneration: generation,
		Reason:             v.reason,
		Message:            v.message,
	})
}

// patchStatus writes the status of after if it differs from the status of before. The lock on the resource
// version prevents that a reconcile of an old object replaces a newer verdict. patchStatus returns nil if
// the object does not exist.
func patchStatus(ctx context.Context, c client.Client, before, after client.Object, was, is v1alpha1.ReadyStatus) error {
	if equality.Semantic.DeepEqual(was, is) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return client.IgnoreNotFound(c.Status().Patch(ctx, after, patch))
}

// conclude returns the result of a reconcile. After a conflict it requests another reconcile and returns no
// error, because another client wrote first.
func conclude(ctx context.Context, stepErr, statusErr error) (ctrl.Result, error) {
	var result ctrl.Result
	for _, err := range []*error{&stepErr, &statusErr} {
		if isConflict(*err) {
			ctrl.LoggerFrom(ctx).V(1).Info("Retrying after a conflict", "cause", (*err).Error())
			result.RequeueAfter = retryAfterConflict
			*err = nil
		}
	}
	if stepErr != nil {
		return ctrl.Result{}, stepErr
	}
	if statusErr != nil {
		return ctrl.Result{}, statusErr
	}
	return result, nil
}

func isConflict(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}

func namespaceEnding(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}
