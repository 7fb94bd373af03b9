package controller

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// +kubebuilder:rbac:groups=dummy.example.com,resources=heads,verbs=list;patch;watch
// +kubebuilder:rbac:groups=dummy.example.com,resources=heads/status,verbs=patch
// +kubebuilder:rbac:groups=dummy.example.com,resources=childas,verbs=create;delete;list;update;watch
//
// An API server may check permissions on owner references that block the owner's deletion, as OpenShift
// does. They require this rule:
// +kubebuilder:rbac:groups=dummy.example.com,resources=heads/finalizers,verbs=update

// HeadReconciler keeps one ChildA for each Head. Both fields are required. It is safe for concurrent use if
// its client is.
type HeadReconciler struct {
	// Client reads from a cache and writes to the API server.
	Client client.Client
	// Scheme must contain Head and ChildA.
	Scheme *runtime.Scheme
}

// SetupWithManager adds a controller to mgr that reconciles a Head when it or its ChildA changes. It
// returns an error if the scheme of mgr does not contain both kinds.
func (r *HeadReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("head").
		For(&v1alpha1.Head{}).
		Owns(&v1alpha1.ChildA{}).
		WithOptions(options()).
		Complete(r)
}

// Reconcile creates or corrects the ChildA of a Head, and copies the readiness of the ChildA to the Head. If
// the Head is being deleted, Reconcile deletes the ChildA. It returns nil if the Head does not exist.
func (r *HeadReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	head := &v1alpha1.Head{}
	if err := r.Client.Get(ctx, req.NamespacedName, head); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("reading Head %s: %w", req, err)
	}
	if !head.DeletionTimestamp.IsZero() {
		return conclude(ctx, r.finalize(ctx, head), nil)
	}

	before := head.DeepCopy()
	defer func() {
		statusErr := patchStatus(ctx, r.Client, before, head, before.Status, head.Status)
		result, err = conclude(ctx, err, statusErr)
	}()

	child := childOf(head)
	return ctrl.Result{}, runSteps(ctx, &head.Status, head.Generation, []step{
		r.ensureChild(head, child),
		r.mirrorChild(head, child),
	})
}

// childOf returns a ChildA with only the name and namespace of the Head's ChildA.
func childOf(head *v1alpha1.Head) *v1alpha1.ChildA {
	return &v1alpha1.ChildA{ObjectMeta: metav1.ObjectMeta{
		Namespace: head.Namespace,
		Name:      ownedName(head.Name, "-child-a"),
	}}
}

func (r *HeadReconciler) ensureChild(head *v1alpha1.Head, child *v1alpha1.ChildA) step {
	return ownership{
		client:  r.Client,
		scheme:  r.Scheme,
		owner:   head,
		owned:   child,
		overlay: func() { child.Spec.Image = head.Spec.ChildA },
	}.ensure
}

func (r *HeadReconciler) mirrorChild(head *v1alpha1.Head, child *v1alpha1.ChildA) step {
	return func(context.Context) (*verdict, error) {
		v := judgeChild(child, head.Spec.ChildA)
		return &v, nil
	}
}

// judgeChild returns whether a ChildA is ready for a Head with image. It ignores a status of an older
// generation of the ChildA: right after an update, this status still describes the old image.
//
// The message does not change during a rollout without errors, because each change would be one more write.
// Errors are repeated in full.
func judgeChild(child *v1alpha1.ChildA, image string) verdict {
	ready := meta.FindStatusCondition(child.Status.Conditions, v1alpha1.ConditionReady)
	notReady := func(format string, args ...any) verdict {
		return verdict{
			reason:  v1alpha1.ReasonChildNotReady,
			message: "ChildA " + child.Name + fmt.Sprintf(format, args...),
		}
	}
	switch {
	case child.Spec.Image != image:
		return notReady(" has image %s instead of %s", child.Spec.Image, image)
	case ready == nil || child.Status.ObservedGeneration != child.Generation || ready.ObservedGeneration != child.Generation,
		ready.Status != metav1.ConditionTrue && ready.Reason == v1alpha1.ReasonDeploymentProgressing:
		return notReady(" is progressing to generation %d", child.Generation)
	case ready.Status != metav1.ConditionTrue:
		return notReady(": %s: %s", ready.Reason, ready.Message)
	}
	return verdict{ready: true, reason: v1alpha1.ReasonChildReady, message: "ChildA " + child.Name + " is ready"}
}
