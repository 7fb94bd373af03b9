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

// retryAfterRace is how long a pass that lost a race waits before it looks
// again. The event of the write that won it usually comes sooner.
const retryAfterRace = 200 * time.Millisecond

// verdict is what a step has to say about the Ready condition.
type verdict struct {
	ready   bool
	reason  string
	message string
}

// step does one part of a pass. A verdict ends the pass and becomes the Ready
// condition, with or without an error beside it. An error alone ends the pass and
// leaves the condition as it was. Neither means that the next step may go on.
type step func(ctx context.Context) (*verdict, error)

// runSteps walks the steps in order and records the verdict in status.
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

// record writes a verdict about a generation into status. The transition time of
// the condition moves only when the condition's status does.
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

// patchStatus sends after's status when it differs from before's. The lock on
// the resource version keeps a pass that worked on an old copy from putting an
// old verdict over a newer one. An object that is gone needs no status.
func patchStatus(ctx context.Context, c client.Client, before, after client.Object, was, is v1alpha1.ReadyStatus) error {
	if equality.Semantic.DeepEqual(was, is) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return client.IgnoreNotFound(c.Status().Patch(ctx, after, patch))
}

// conclude turns what went wrong in a pass into the reconcile's outcome. A lost
// race is no error: somebody else wrote first, so look again soon.
func conclude(ctx context.Context, stepErr, statusErr error) (ctrl.Result, error) {
	var result ctrl.Result
	for _, err := range []*error{&stepErr, &statusErr} {
		if lostRace(*err) {
			ctrl.LoggerFrom(ctx).V(1).Info("lost a race, looking again", "cause", (*err).Error())
			result.RequeueAfter = retryAfterRace
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

func lostRace(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}

func namespaceEnding(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}
