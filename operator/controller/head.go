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
// Owner references that block the owner's deletion need this where the API
// server enforces permissions on them, as OpenShift's does:
// +kubebuilder:rbac:groups=dummy.example.com,resources=heads/finalizers,verbs=update

// HeadReconciler keeps one ChildA per Head. Both fields are required. It is safe
// for concurrent use when its client is.
type HeadReconciler struct {
	// Client reads from a cache and writes to the API server.
	Client client.Client
	// Scheme knows Head and ChildA.
	Scheme *runtime.Scheme
}

// SetupWithManager adds a controller to mgr that reconciles Heads when they or their ChildAs
// change. It returns an error if the scheme of mgr does not know both kinds.
func (r *HeadReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("head").
		For(&v1alpha1.Head{}).
		Owns(&v1alpha1.ChildA{}).
		WithOptions(options()).
		Complete(r)
}

// Reconcile makes the Head's ChildA what the Head asks for and mirrors its
// readiness. A Head that is going takes its ChildA with it, see finalize.
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

// childOf names the ChildA of a Head.
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

// judgeChild says whether a ChildA is ready for a Head that wants image. A
// verdict of the child about an older generation of itself counts for nothing:
// right after an update it still says that the old image is available.
//
// As long as all goes well the message stays the same until the end, since each
// change of it would be one more write. Only trouble is repeated in full.
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
		return notReady(" is on its way to generation %d", child.Generation)
	case ready.Status != metav1.ConditionTrue:
		return notReady(": %s: %s", ready.Reason, ready.Message)
	}
	return verdict{ready: true, reason: v1alpha1.ReasonChildReady, message: "ChildA " + child.Name + " is ready"}
}
