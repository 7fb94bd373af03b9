package main

import (
	"context"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// act is one change of the objects of an equivalence run. The operator must be at rest before the next act.
type act struct {
	name string
	do   func(ctx context.Context, r *equivalenceRun) error
	// conflicts are writes of the operator that conflict, for example "update childas". Each entry is
	// one conflict.
	conflicts []string
	// ready is the status of ChildA and Head after the act.
	ready bool
	// racing is set if ready depends on which controller is faster.
	racing bool
	// deleting is set if the Head is being deleted. child is then the state of its ChildA: going or
	// gone. If it is gone, the Head must not have the operator's finalizer.
	deleting bool
	child    string
}

const (
	updateChild      = "update childas"
	updateDeployment = "update deployments"
	childStatus      = "patch childas/status"
	headStatus       = "patch heads/status"
	headFinalizer    = "patch heads"
)

// othersContext is a trace context that the operator did not write.
const othersContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// lifetime returns the acts before the deletion: the creation of the Head, updates by users, changes of the
// objects that the operator owns, and the steps of the rollouts in between.
func lifetime() []act {
	return slices.Concat(
		[]act{
			{name: "create", do: createHead, conflicts: []string{headStatus}},
			{name: "progressing", do: status(progressing)},
			{name: "available", do: status(available), ready: true},
		},
		specChange("update 1", "example.com/image:2"),
		[]act{
			{name: "update 2: none", do: edit(heads, func(client.Object) {}), ready: true},
			{name: "update 3: label", do: edit(heads, label("team", "a")), ready: true},
			{name: "update 4: annotation", do: edit(heads, annotation("note", "theirs")), ready: true},
		},
		specChange("update 5", "example.com/image:3", updateChild, updateDeployment),
		[]act{
			{name: "update 6: empty patch", do: emptyHeadPatch, ready: true},
			{name: "update 7: broken context", do: edit(heads, annotation(traceparent, "broken")), ready: true},
			{name: "update 8: no context", do: edit(heads, withoutContext), ready: true},
			{name: "update 9: spec and label", do: edit(heads, func(obj client.Object) {
				label("team", "b")(obj)
				obj.(*v1alpha1.Head).Spec.ChildA = "example.com/image:4"
			}), conflicts: []string{updateChild, updateChild}},
			{name: "failing", do: status(failing)},
		},
		specChange("update 10", "example.com/image:5", childStatus),
		specChange("update 11", "example.com/image:1", headStatus, childStatus),
		drift(),
	)
}

// drift returns changes by users of the objects that the operator owns.
func drift() []act {
	image := func(obj client.Object) {
		obj.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = "example.com/other:1"
	}
	return []act{
		{name: "drift: ChildA", do: edit(childAs, func(obj client.Object) { obj.(*v1alpha1.ChildA).Spec.Image = "example.com/other:1" }), conflicts: []string{updateChild}, racing: true},
		{name: "drift: ChildA, available", do: status(available), ready: true},
		{name: "drift: Deployment", do: edit(deployments, image), conflicts: []string{updateDeployment, childStatus}},
		{name: "drift: Deployment, available", do: status(available), ready: true},
		{name: "drift: replicas", do: edit(deployments, func(obj client.Object) { obj.(*appsv1.Deployment).Spec.Replicas = new(int32(3)) })},
		{name: "drift: replicas, available", do: status(available), ready: true},
		{name: "drift: context on ChildA", do: edit(childAs, annotation(traceparent, othersContext)), ready: true},
		// Annotations of a Deployment are part of its generation.
		{name: "drift: context on Deployment", do: edit(deployments, annotation(traceparent, othersContext))},
		{name: "drift: context on Deployment, available", do: status(available), ready: true},
		{name: "drift: labels of others", do: edit(deployments, label("team", "theirs")), ready: true},
		{name: "drift: Deployment deleted", do: deleteDeployment},
		{name: "drift: Deployment deleted, available", do: status(available), ready: true},
	}
}

// deletion returns the acts of a deletion in the foreground. The operator deletes the ChildA. The test acts
// as the garbage collector, because envtest has none: it deletes owned objects first.
func deletion() []act {
	foreground := func(ctx context.Context, r *equivalenceRun) error {
		return r.admin.Delete(ctx, r.head, client.PropagationPolicy(metav1.DeletePropagationForeground))
	}
	without := func(of func(*equivalenceRun) client.Object, finalizer string) func(context.Context, *equivalenceRun) error {
		return edit(of, func(obj client.Object) { controllerutil.RemoveFinalizer(obj, finalizer) })
	}
	return []act{
		{name: "delete Head", do: foreground, deleting: true, child: "going"},
		{name: "delete Deployment", do: deleteDeployment, deleting: true, child: "going"},
		{name: "remove ChildA", do: without(childAs, metav1.FinalizerDeleteDependents), deleting: true, conflicts: []string{headFinalizer}, child: "gone"},
		{name: "remove Head", do: without(heads, metav1.FinalizerDeleteDependents), deleting: true, child: "gone"},
	}
}

func heads(r *equivalenceRun) client.Object       { return r.head }
func childAs(r *equivalenceRun) client.Object     { return r.child }
func deployments(r *equivalenceRun) client.Object { return r.deployment }

func createHead(ctx context.Context, r *equivalenceRun) error {
	r.head.Spec.ChildA = "example.com/image:1"
	// Some flavours have no webhook that adds it.
	r.head.Finalizers = []string{v1alpha1.ChildAFinalizer}
	return r.admin.Create(ctx, r.head)
}

func deleteDeployment(ctx context.Context, r *equivalenceRun) error {
	return r.admin.Delete(ctx, r.deployment)
}

func emptyHeadPatch(ctx context.Context, r *equivalenceRun) error {
	return r.admin.Patch(ctx, r.head, client.RawPatch(types.MergePatchType, []byte("{}")))
}

// specChange returns the acts of a new image: the change and its rollout.
func specChange(name, image string, conflicts ...string) []act {
	return []act{
		{name: name + ": spec", do: edit(heads, func(obj client.Object) { obj.(*v1alpha1.Head).Spec.ChildA = image }), conflicts: conflicts},
		{name: name + ": progressing", do: status(progressing)},
		{name: name + ": available", do: status(available), ready: true},
	}
}

func label(key, value string) func(client.Object) {
	return func(obj client.Object) {
		labels := obj.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[key] = value
		obj.SetLabels(labels)
	}
}

func annotation(key, value string) func(client.Object) {
	return func(obj client.Object) {
		annotations := obj.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[key] = value
		obj.SetAnnotations(annotations)
	}
}

func withoutContext(obj client.Object) { obj.SetAnnotations(withoutKeys(obj.GetAnnotations())) }

// edit changes the stored object as a user.
func edit(of func(*equivalenceRun) client.Object, change func(client.Object)) func(context.Context, *equivalenceRun) error {
	return func(ctx context.Context, r *equivalenceRun) error {
		return r.change(ctx, of(r), change, func(obj client.Object) error { return r.admin.Update(ctx, obj) })
	}
}

// status writes a status as the Deployment controller.
func status(as func(*appsv1.Deployment) appsv1.DeploymentStatus) func(context.Context, *equivalenceRun) error {
	return func(ctx context.Context, r *equivalenceRun) error {
		return r.change(ctx, r.deployment, func(obj client.Object) {
			d := obj.(*appsv1.Deployment)
			d.Status = as(d)
		}, func(obj client.Object) error { return r.admin.Status().Update(ctx, obj) })
	}
}

func progressing(d *appsv1.Deployment) appsv1.DeploymentStatus {
	return appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1}
}

func available(d *appsv1.Deployment) appsv1.DeploymentStatus {
	return appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
}

func failing(d *appsv1.Deployment) appsv1.DeploymentStatus {
	return appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Conditions: []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota"},
	}}
}

// change edits the stored object. It retries if the operator wrote first.
func (r *equivalenceRun) change(ctx context.Context, which client.Object, edit func(client.Object), write func(client.Object) error) error {
	return wait.PollUntilContextTimeout(ctx, waitInterval, waitLimit, true, func(ctx context.Context) (bool, error) {
		obj := renewed(which)
		if err := r.admin.Get(ctx, client.ObjectKeyFromObject(which), obj); err != nil {
			return false, err
		}
		edit(obj)
		err := write(obj)
		if apierrors.IsConflict(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// renewed returns an empty object of the same name to decode into. Otherwise fields that the stored object
// does not have would keep their values.
func renewed[T client.Object](obj T) T {
	out := reflect.New(reflect.TypeOf(obj).Elem()).Interface().(T)
	out.SetNamespace(obj.GetNamespace())
	out.SetName(obj.GetName())
	return out
}
