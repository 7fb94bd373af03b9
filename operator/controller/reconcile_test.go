package controller

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// These tests use an API server that refuses requests. Tests in package operator use a real API
// server with the whole manager.

var (
	childAs  = schema.GroupResource{Group: "dummy.example.com", Resource: "childas"}
	headKey  = client.ObjectKey{Namespace: "ns", Name: "h"}
	childKey = client.ObjectKey{Namespace: "ns", Name: "h-child-a"}
)

func newHead(change func(*v1alpha1.Head)) *v1alpha1.Head {
	h := &v1alpha1.Head{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "h", UID: "head-uid", Generation: 1},
		Spec:       v1alpha1.HeadSpec{ChildA: "image:1"},
	}
	if change != nil {
		change(h)
	}
	return h
}

// newOwned returns the stored ChildA of the Head, with an owner.
func newOwned(ownerUID string, change func(*v1alpha1.ChildA)) *v1alpha1.ChildA {
	c := &v1alpha1.ChildA{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "h-child-a", UID: "child-uid", Generation: 1,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "dummy.example.com/v1alpha1", Kind: "Head", Name: "h", UID: "head-uid", Controller: new(true),
			}},
		},
		Spec: v1alpha1.ChildASpec{Image: "image:1"},
	}
	c.OwnerReferences[0].UID = types.UID(ownerUID)
	if change != nil {
		change(c)
	}
	return c
}

// writes has the numbers of requests that the API server received.
type writes struct{ create, update, status, remove, release int }

func newReconciler(t *testing.T, refuse func(verb string) error, objects ...client.Object) (*HeadReconciler, *writes) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, appsv1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	if refuse == nil {
		refuse = func(string) error { return nil }
	}
	seen := &writes{}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.Head{}, &v1alpha1.ChildA{}).
		WithInterceptorFuncs(interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
				seen.create++
				if err := refuse("create"); err != nil {
					return err
				}
				return c.Create(ctx, obj, opts...)
			},
			Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
				seen.update++
				if err := refuse("update"); err != nil {
					return err
				}
				return c.Update(ctx, obj, opts...)
			},
			Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
				seen.release++
				if err := refuse("release"); err != nil {
					return err
				}
				return c.Patch(ctx, obj, patch, opts...)
			},
			Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
				seen.remove++
				if err := refuse("remove"); err != nil {
					return err
				}
				return c.Delete(ctx, obj, opts...)
			},
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
				seen.status++
				if err := refuse("status"); err != nil {
					return err
				}
				return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
			},
		}).Build()
	return &HeadReconciler{Client: c, Scheme: scheme}, seen
}

func TestHeadReconcilerOutcomes(t *testing.T) {
	forbidden := apierrors.NewForbidden(childAs, "h-child-a", errors.New("quota"))
	conflict := apierrors.NewConflict(childAs, "h-child-a", errors.New("changed"))
	exists := apierrors.NewAlreadyExists(childAs, "h-child-a")
	ending := apierrors.NewForbidden(childAs, "h-child-a", errors.New("namespace is ending"))
	ending.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	on := func(verb string, err error) func(string) error {
		return func(v string) error {
			if v == verb {
				return err
			}
			return nil
		}
	}
	drifted := func(c *v1alpha1.ChildA) { c.Spec.Image = "image:0" }
	deleting := func(c *v1alpha1.ChildA) {
		c.DeletionTimestamp, c.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"example.com/hold"}
	}

	for name, tc := range map[string]struct {
		child   *v1alpha1.ChildA
		refuse  func(string) error
		reason  string // The reason of the Ready condition. It is empty without a condition.
		message string // part of it
		err     string // part of it; empty means none
		again   time.Duration
		writes  writes
	}{
		"creates the child": {
			reason: v1alpha1.ReasonChildNotReady, message: "progressing", writes: writes{create: 1, status: 1},
		},
		"corrects the child": {
			child: newOwned("head-uid", drifted), reason: v1alpha1.ReasonChildNotReady, writes: writes{update: 1, status: 1},
		},
		"keeps a correct child": {
			child: newOwned("head-uid", nil), reason: v1alpha1.ReasonChildNotReady, writes: writes{status: 1},
		},
		"create forbidden": {
			refuse: on("create", forbidden),
			reason: v1alpha1.ReasonWriteFailed, message: "creating ChildA ns/h-child-a", err: "quota", writes: writes{create: 1, status: 1},
		},
		"update forbidden": {
			child: newOwned("head-uid", drifted), refuse: on("update", forbidden),
			reason: v1alpha1.ReasonWriteFailed, message: "updating ChildA ns/h-child-a", err: "quota", writes: writes{update: 1, status: 1},
		},
		"create conflicts": {refuse: on("create", exists), again: retryAfterConflict, writes: writes{create: 1}},
		"update has a conflict": {
			child: newOwned("head-uid", drifted), refuse: on("update", conflict), again: retryAfterConflict, writes: writes{update: 1},
		},
		"status has a conflict": {
			refuse: on("status", conflict), again: retryAfterConflict, writes: writes{create: 1, status: 1},
		},
		"status forbidden": {refuse: on("status", forbidden), err: "quota", writes: writes{create: 1, status: 1}},
		"namespace ends": {
			refuse: on("create", ending), reason: v1alpha1.ReasonTerminating, message: "namespace ns is being deleted", writes: writes{create: 1, status: 1},
		},
		"child is being deleted": {
			child: newOwned("head-uid", deleting), reason: v1alpha1.ReasonTerminating, message: "is being deleted", writes: writes{status: 1},
		},
		"child of a deleted head of the same name": {
			child: newOwned("old-uid", drifted), reason: v1alpha1.ReasonTerminating, message: "deleted Head of the same name", writes: writes{status: 1},
		},
		"child of another kind": {
			child:  newOwned("other-uid", func(c *v1alpha1.ChildA) { c.OwnerReferences[0].Kind = "Other" }),
			reason: v1alpha1.ReasonNameConflict, message: "not controlled by Head ns/h", err: "delete or rename", writes: writes{status: 1},
		},
		"child without an owner": {
			child:  newOwned("", func(c *v1alpha1.ChildA) { c.OwnerReferences = nil; drifted(c) }),
			reason: v1alpha1.ReasonNameConflict, message: "not controlled by Head ns/h", err: "delete or rename", writes: writes{status: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			objects := []client.Object{newHead(nil)}
			if tc.child != nil {
				objects = append(objects, tc.child)
			}
			r, seen := newReconciler(t, tc.refuse, objects...)

			result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: headKey})
			switch {
			case tc.err == "" && err != nil:
				t.Errorf("reconcile failed: %v", err)
			case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("error = %v, want a text with %q", err, tc.err)
			}
			if result.RequeueAfter != tc.again {
				t.Errorf("RequeueAfter = %v, want %v", result.RequeueAfter, tc.again)
			}
			if diff := cmp.Diff(tc.writes, *seen, cmp.AllowUnexported(writes{})); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			checkReady(t, r.Client, tc.reason, tc.message)
		})
	}
}

func checkReady(t *testing.T, c client.Client, reason, message string) {
	t.Helper()
	head := &v1alpha1.Head{}
	if err := c.Get(t.Context(), headKey, head); err != nil {
		t.Fatal(err)
	}
	ready := meta.FindStatusCondition(head.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case reason == "" && ready != nil:
		t.Errorf("condition = %v, want none", ready)
	case reason != "" && (ready == nil || ready.Reason != reason || !strings.Contains(ready.Message, message)):
		t.Errorf("condition = %v, want reason %s and a message with %q", ready, reason, message)
	case ready != nil && (ready.ObservedGeneration != 1 || head.Status.ObservedGeneration != 1):
		t.Errorf("status is about generations %d and %d, want 1", ready.ObservedGeneration, head.Status.ObservedGeneration)
	}
}

func TestSecondPassWritesNothing(t *testing.T) {
	r, seen := newReconciler(t, nil, newHead(nil))
	for range 3 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: headKey}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(writes{create: 1, status: 1}, *seen, cmp.AllowUnexported(writes{})); diff != "" {
		t.Errorf("writes of three passes (-want +got):\n%s", diff)
	}
}

func TestGoneOrGoingHeadIsLeftAlone(t *testing.T) {
	going := newHead(func(h *v1alpha1.Head) {
		h.DeletionTimestamp, h.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"foregroundDeletion"}
	})
	for name, objects := range map[string][]client.Object{"gone": nil, "going": {going}} {
		t.Run(name, func(t *testing.T) {
			r, seen := newReconciler(t, nil, objects...)
			result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: headKey})
			if err != nil || result != (ctrl.Result{}) {
				t.Errorf("reconcile = %v, %v", result, err)
			}
			if *seen != (writes{}) {
				t.Errorf("writes = %+v, want none", *seen)
			}
		})
	}
}

func TestCreatedChildBelongsToTheHead(t *testing.T) {
	r, _ := newReconciler(t, nil, newHead(func(h *v1alpha1.Head) {
		h.Annotations = map[string]string{"users": "own"}
	}))
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: headKey}); err != nil {
		t.Fatal(err)
	}
	child := &v1alpha1.ChildA{}
	if err := r.Client.Get(t.Context(), childKey, child); err != nil {
		t.Fatal(err)
	}
	want := []metav1.OwnerReference{{
		APIVersion: "dummy.example.com/v1alpha1", Kind: "Head", Name: "h", UID: "head-uid",
		Controller: new(true), BlockOwnerDeletion: new(true),
	}}
	if diff := cmp.Diff(want, child.OwnerReferences); diff != "" {
		t.Errorf("owner references (-want +got):\n%s", diff)
	}
	if child.Spec.Image != "image:1" || len(child.Annotations) > 0 {
		t.Errorf("child has image %q and annotations %v", child.Spec.Image, child.Annotations)
	}
}
