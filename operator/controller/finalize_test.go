package controller

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// newGoing returns a Head that is being deleted and waits for the given finalizers.
func newGoing(finalizers ...string) *v1alpha1.Head {
	return newHead(func(h *v1alpha1.Head) {
		h.Generation, h.DeletionTimestamp, h.Finalizers = 2, &metav1.Time{Time: time.Unix(1, 0)}, finalizers
	})
}

func TestFinalize(t *testing.T) {
	const ours, orphan, others = v1alpha1.ChildAFinalizer, metav1.FinalizerOrphanDependents, "others.example.com/one"
	going := newOwned("head-uid", func(c *v1alpha1.ChildA) {
		c.DeletionTimestamp, c.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{metav1.FinalizerDeleteDependents}
	})
	conflict := apierrors.NewConflict(schema.GroupResource{}, "h", errors.New("changed"))
	forbidden := apierrors.NewForbidden(childAs, "h-child-a", errors.New("no"))
	missing := apierrors.NewNotFound(childAs, "h-child-a")
	gone := "gone"
	tests := map[string]struct {
		finalizers []string
		child      *v1alpha1.ChildA
		refuse     map[string]error
		seen       writes
		left       []string // The finalizers of the Head. The value gone means that the Head does not exist.
		childLeft  bool
		requeue    bool
		fails      bool
	}{
		"its ChildA is deleted":        {[]string{ours}, newOwned("head-uid", nil), nil, writes{remove: 1}, []string{ours}, false, false, false},
		"its ChildA is being deleted":  {[]string{ours}, going, nil, writes{}, []string{ours}, true, false, false},
		"no ChildA":                    {[]string{ours}, nil, nil, writes{release: 1}, []string{gone}, false, false, false},
		"finalizers of others stay":    {[]string{others, ours}, nil, nil, writes{release: 1}, []string{others}, false, false, false},
		"the ChildA has another owner": {[]string{ours}, newOwned("other", nil), nil, writes{release: 1}, []string{gone}, true, false, false},
		"the user keeps the ChildA":    {[]string{ours, orphan}, newOwned("head-uid", nil), nil, writes{}, []string{ours, orphan}, true, false, false},
		"the ChildA was orphaned": {[]string{ours}, newOwned("head-uid", func(c *v1alpha1.ChildA) { c.OwnerReferences = nil }), nil,
			writes{release: 1}, []string{gone}, true, false, false},
		"another client deleted the ChildA": {[]string{ours}, newOwned("head-uid", nil), map[string]error{"remove": missing},
			writes{remove: 1}, []string{ours}, true, false, false},
		"the ChildA was recreated": {[]string{ours}, newOwned("head-uid", nil), map[string]error{"remove": conflict},
			writes{remove: 1}, []string{ours}, true, true, false},
		"not allowed": {[]string{ours}, newOwned("head-uid", nil), map[string]error{"remove": forbidden},
			writes{remove: 1}, []string{ours}, true, false, true},
		"the Head changed meanwhile":     {[]string{ours}, nil, map[string]error{"release": conflict}, writes{release: 1}, []string{ours}, false, true, false},
		"the Head was deleted meanwhile": {[]string{ours}, nil, map[string]error{"release": missing}, writes{release: 1}, []string{ours}, false, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			objects := []client.Object{newGoing(test.finalizers...)}
			if test.child != nil {
				objects = append(objects, test.child.DeepCopy())
			}
			r, seen := newReconciler(t, func(verb string) error { return test.refuse[verb] }, objects...)
			result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: headKey})
			if (err != nil) != test.fails || (result.RequeueAfter > 0) != test.requeue {
				t.Errorf("reconcile = %v, %v", result, err)
			}
			if diff := cmp.Diff(test.seen, *seen, cmp.AllowUnexported(writes{})); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			left, head := []string{gone}, &v1alpha1.Head{}
			if err := r.Client.Get(t.Context(), headKey, head); err == nil {
				left = head.Finalizers
			} else if !apierrors.IsNotFound(err) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.left, left); diff != "" {
				t.Errorf("finalizers of the Head (-want +got):\n%s", diff)
			}
			if err := r.Client.Get(t.Context(), childKey, &v1alpha1.ChildA{}); (err == nil) != test.childLeft {
				t.Errorf("Get ChildA = %v", err)
			}
		})
	}
}
