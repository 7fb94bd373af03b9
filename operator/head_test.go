package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// family is a Head with the objects that the operator creates for it.
type family struct {
	*testCluster
	head       *v1alpha1.Head
	child      *v1alpha1.ChildA
	deployment *appsv1.Deployment
}

// uncreated returns a family in a new namespace. It creates no object.
func uncreated(t *testing.T) *family {
	t.Helper()
	c := cluster(t)
	at := metav1.ObjectMeta{Namespace: c.namespace(t), Name: "h"}
	f := &family{testCluster: c, head: &v1alpha1.Head{ObjectMeta: at}, child: &v1alpha1.ChildA{ObjectMeta: at}, deployment: &appsv1.Deployment{ObjectMeta: at}}
	f.head.Spec.ChildA = "example.com/image:1"
	f.child.Name, f.deployment.Name = "h-child-a", "h-child-a"
	return f
}

// newFamily creates a Head and waits until its Deployment exists.
func newFamily(t *testing.T) *family {
	t.Helper()
	f := uncreated(t)
	if err := f.admin.Create(t.Context(), f.head); err != nil {
		t.Fatal(err)
	}
	f.deploymentIs(t, "created", func(*appsv1.Deployment) error { return nil })
	f.get(t, f.child)
	return f
}

// newReadyFamily creates a family and waits until it is ready.
func newReadyFamily(t *testing.T) *family {
	t.Helper()
	f := newFamily(t)
	f.rollOut(t)
	f.headIs(t, true, v1alpha1.ReasonChildReady)
	return f
}

// rollOut acts as the Deployment controller, because envtest has none. It reports that the current generation
// is available.
func (f *family) rollOut(t *testing.T) {
	t.Helper()
	f.change(t, f.deployment, func() {
		f.deployment.Status = appsv1.DeploymentStatus{
			ObservedGeneration: f.deployment.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		}
	}, true)
}

// change edits an object as a user. It retries if the operator wrote first.
func (f *family) change(t *testing.T, obj client.Object, edit func(), status ...bool) {
	t.Helper()
	eventually(t, "the test's own write succeeds", func(ctx context.Context) error {
		if err := f.admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		edit()
		if len(status) > 0 {
			return f.admin.Status().Update(ctx, obj)
		}
		return f.admin.Update(ctx, obj)
	})
}

func (f *family) deploymentIs(t *testing.T, what string, check func(*appsv1.Deployment) error) {
	t.Helper()
	eventually(t, "the Deployment is "+what, func(ctx context.Context) error {
		if err := f.admin.Get(ctx, client.ObjectKeyFromObject(f.deployment), f.deployment); err != nil {
			return err
		}
		return check(f.deployment)
	})
}

func (f *family) headIs(t *testing.T, ready bool, reason string) {
	t.Helper()
	f.statusIs(t, f.head, &f.head.Status, ready, reason)
}

// statusIs waits for a status of the object's current generation.
func (f *family) statusIs(t *testing.T, obj client.Object, status *v1alpha1.ReadyStatus, ready bool, reason string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%T has Ready=%t, %s", obj, ready, reason), func(ctx context.Context) error {
		*status = v1alpha1.ReadyStatus{}
		if err := f.admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
		switch generation := obj.GetGeneration(); {
		case condition == nil:
			return fmt.Errorf("no condition")
		case condition.ObservedGeneration != generation || status.ObservedGeneration != generation:
			return fmt.Errorf("observed generations are %d and %d, want %d", condition.ObservedGeneration, status.ObservedGeneration, generation)
		case status.Ready != ready || (condition.Status == metav1.ConditionTrue) != ready || condition.Reason != reason:
			return fmt.Errorf("ready: %t, condition: %+v", status.Ready, condition)
		}
		return nil
	})
}

func TestHeadBecomesReady(t *testing.T) {
	f := newFamily(t)
	f.headIs(t, false, v1alpha1.ReasonChildNotReady)
	if !metav1.IsControlledBy(f.child, f.head) || !metav1.IsControlledBy(f.deployment, f.child) {
		t.Errorf("owners: %v of the ChildA, %v of the Deployment", f.child.OwnerReferences, f.deployment.OwnerReferences)
	}
	if len(f.deployment.Spec.Template.Annotations) > 0 {
		t.Errorf("the pod template has annotations: %v", f.deployment.Spec.Template.Annotations)
	}
	f.rollOut(t)
	f.statusIs(t, f.child, &f.child.Status, true, v1alpha1.ReasonDeploymentAvailable)
	f.headIs(t, true, v1alpha1.ReasonChildReady)
}

func TestSpecChangeRollsTheDeployment(t *testing.T) {
	f := newReadyFamily(t)
	f.change(t, f.head, func() { f.head.Spec.ChildA = "example.com/image:2" })
	f.deploymentIs(t, "at the new image", func(d *appsv1.Deployment) error {
		if got := d.Spec.Template.Spec.Containers[0].Image; got != "example.com/image:2" {
			return fmt.Errorf("image is %s", got)
		}
		return nil
	})
	// The Deployment's status is of its last generation, which must not count.
	f.headIs(t, false, v1alpha1.ReasonChildNotReady)
	f.rollOut(t)
	f.headIs(t, true, v1alpha1.ReasonChildReady)
}

func TestFailingDeploymentIsReported(t *testing.T) {
	f := newFamily(t)
	f.change(t, f.deployment, func() {
		f.deployment.Status = appsv1.DeploymentStatus{
			ObservedGeneration: f.deployment.Generation,
			Conditions: []appsv1.DeploymentCondition{{
				Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota",
			}},
		}
	}, true)
	f.statusIs(t, f.child, &f.child.Status, false, v1alpha1.ReasonDeploymentFailed)
	eventually(t, "the Head repeats the cause", func(ctx context.Context) error {
		if err := f.admin.Get(ctx, client.ObjectKeyFromObject(f.head), f.head); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(f.head.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "exceeded quota") {
			return fmt.Errorf("message is %q", c.Message)
		}
		return nil
	})
}

func TestDeletedChildrenAreCreatedAgain(t *testing.T) {
	f := newReadyFamily(t)
	remake := func(what string, obj client.Object) {
		t.Helper()
		old := obj.GetUID()
		if err := f.admin.Delete(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a new "+what+" exists", func(ctx context.Context) error {
			if err := f.admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
				return err
			}
			if obj.GetUID() == old {
				return fmt.Errorf("its UID is still the old one")
			}
			return nil
		})
	}
	remake("Deployment", f.deployment)
	f.headIs(t, false, v1alpha1.ReasonChildNotReady)

	remake("ChildA", f.child)
	// Envtest has no garbage collector, so the Deployment of the old ChildA stays until the test deletes
	// it. The operator must not change it.
	f.statusIs(t, f.child, &f.child.Status, false, v1alpha1.ReasonTerminating)
	remake("Deployment", f.deployment)
	if !metav1.IsControlledBy(f.deployment, f.child) {
		t.Errorf("owners of the new Deployment = %v, want UID %s", f.deployment.OwnerReferences, f.child.UID)
	}
	f.rollOut(t)
	f.headIs(t, true, v1alpha1.ReasonChildReady)
}

func TestForeignObjectsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		taken   func(*family) client.Object
		refused func(*family) (client.Object, *v1alpha1.ReadyStatus)
	}{
		"ChildA": {
			taken: func(f *family) client.Object {
				f.child.Spec.Image = "example.com/theirs:1"
				return f.child
			},
			refused: func(f *family) (client.Object, *v1alpha1.ReadyStatus) { return f.head, &f.head.Status },
		},
		"Deployment": {
			taken: func(f *family) client.Object {
				labels := map[string]string{"app": "theirs"}
				f.deployment.Spec = appsv1.DeploymentSpec{
					Selector: &metav1.LabelSelector{MatchLabels: labels},
					Template: corev1.PodTemplateSpec{
						ObjectMeta: metav1.ObjectMeta{Labels: labels},
						Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "theirs", Image: "example.com/theirs:1"}}},
					},
				}
				return f.deployment
			},
			refused: func(f *family) (client.Object, *v1alpha1.ReadyStatus) { return f.child, &f.child.Status },
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := uncreated(t)
			theirs := tc.taken(f)
			if err := f.admin.Create(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
			if err := f.admin.Create(t.Context(), f.head); err != nil {
				t.Fatal(err)
			}
			refused, status := tc.refused(f)
			f.statusIs(t, refused, status, false, v1alpha1.ReasonNameConflict)

			before := theirs.DeepCopyObject().(client.Object)
			f.get(t, theirs)
			if theirs.GetUID() != before.GetUID() || theirs.GetGeneration() != before.GetGeneration() ||
				len(theirs.GetOwnerReferences()) > 0 || len(theirs.GetAnnotations()) > 0 {
				t.Errorf("the operator changed a foreign object: %+v", theirs)
			}
			// The operator recovers when the foreign object is deleted, without a change of the Head.
			if err := f.admin.Delete(t.Context(), theirs); err != nil && !apierrors.IsNotFound(err) {
				t.Fatal(err)
			}
			eventually(t, "the operator creates its own object", func(ctx context.Context) error {
				if err := f.admin.Get(ctx, client.ObjectKeyFromObject(theirs), theirs); err != nil {
					return err
				}
				if !metav1.IsControlledBy(theirs, refused) {
					return fmt.Errorf("its owners are %v", theirs.GetOwnerReferences())
				}
				return nil
			})
		})
	}
}

func TestLongNames(t *testing.T) {
	f := uncreated(t)
	f.head.Name = strings.Repeat("long.", 50) + "end"
	if err := f.admin.Create(t.Context(), f.head); err != nil {
		t.Fatal(err)
	}
	var list appsv1.DeploymentList
	eventually(t, "a Deployment exists", func(ctx context.Context) error {
		if err := f.admin.List(ctx, &list, client.InNamespace(f.head.Namespace)); err != nil {
			return err
		}
		if len(list.Items) != 1 {
			return fmt.Errorf("there are %d Deployments", len(list.Items))
		}
		return nil
	})
	if name := list.Items[0].Name; len(name) > 63 {
		t.Errorf("Deployment's name %q has %d characters", name, len(name))
	}
}
