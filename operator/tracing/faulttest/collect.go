package faulttest

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

const (
	collectInterval = 100 * time.Millisecond
	cleanUpTimeout  = 20 * time.Second
)

// lacksCollector reports whether no controller manager runs, as in envtest.
func (s *session) lacksCollector(ctx context.Context) (bool, error) {
	c, err := s.client(nil)
	if err != nil {
		return false, err
	}
	lease := &metav1.PartialObjectMetadata{}
	lease.SetGroupVersionKind(schema.GroupVersionKind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"})
	err = c.Get(ctx, client.ObjectKey{Namespace: "kube-system", Name: "kube-controller-manager"}, lease)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the lease of kube-controller-manager: %w", err)
	}
	return false, nil
}

// collect does the work of the garbage collector in the run's objects until ctx ends: it deletes
// objects without a living owner, and completes foreground and orphaning deletions.
func (r *run) collect(ctx context.Context) {
	// An error is temporary, or is about a resource that the next run knows better.
	_ = wait.PollUntilContextCancel(ctx, collectInterval, true, func(ctx context.Context) (bool, error) {
		objects, err := r.snapshot(ctx)
		if err != nil {
			return false, nil
		}
		for i := range objects {
			_ = r.collectOne(ctx, &objects[i], objects) // the next poll tries again
		}
		return false, nil
	})
}

func (r *run) collectOne(ctx context.Context, obj *unstructured.Unstructured, all []unstructured.Unstructured) error {
	if obj.GetDeletionTimestamp() != nil {
		return r.completeDeletion(ctx, obj, all)
	}
	owners := obj.GetOwnerReferences()
	for _, owner := range owners {
		alive, err := r.exists(ctx, obj.GetNamespace(), owner, all)
		if err != nil || alive {
			return err
		}
	}
	if len(owners) == 0 {
		return nil
	}
	return r.delete(ctx, obj)
}

func (r *run) delete(ctx context.Context, obj *unstructured.Unstructured) error {
	uid := obj.GetUID()
	return client.IgnoreNotFound(r.admin.Delete(ctx, obj,
		client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &uid}))
}

// completeDeletion handles the finalizers that belong to the garbage collector.
func (r *run) completeDeletion(ctx context.Context, obj *unstructured.Unstructured, all []unstructured.Unstructured) error {
	foreground := slices.Contains(obj.GetFinalizers(), metav1.FinalizerDeleteDependents)
	orphan := slices.Contains(obj.GetFinalizers(), metav1.FinalizerOrphanDependents)
	if !foreground && !orphan {
		return nil
	}
	done := true
	for i := range all {
		dependent := &all[i]
		owners := dependent.GetOwnerReferences()
		if !slices.ContainsFunc(owners, func(o metav1.OwnerReference) bool { return o.UID == obj.GetUID() }) {
			continue
		}
		if foreground {
			done = false
			if err := r.delete(ctx, dependent); err != nil {
				return err
			}
			continue
		}
		dependent.SetOwnerReferences(slices.DeleteFunc(owners, func(o metav1.OwnerReference) bool { return o.UID == obj.GetUID() }))
		if err := r.admin.Update(ctx, dependent); err != nil {
			return err
		}
	}
	if !done {
		return nil
	}
	obj.SetFinalizers(slices.DeleteFunc(obj.GetFinalizers(), func(f string) bool {
		return f == metav1.FinalizerDeleteDependents || f == metav1.FinalizerOrphanDependents
	}))
	return client.IgnoreNotFound(r.admin.Update(ctx, obj))
}

// exists reports whether the owner of an object exists.
func (r *run) exists(ctx context.Context, namespace string, owner metav1.OwnerReference, all []unstructured.Unstructured) (bool, error) {
	if slices.ContainsFunc(all, func(o unstructured.Unstructured) bool { return o.GetUID() == owner.UID }) {
		return true, nil
	}
	gvk := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind)
	mapping, err := r.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return false, err
	}
	if mapping.Scope.Name() != "namespace" {
		namespace = ""
	}
	obj := &metav1.PartialObjectMetadata{}
	obj.SetGroupVersionKind(gvk)
	err = r.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: owner.Name}, obj)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil && obj.UID == owner.UID, err
}

// cleanUp deletes everything that the run created, so that the next operator does not see it. It never
// deletes other objects.
func (r *run) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
	defer cancel()
	noFinalizers := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
	err := wait.PollUntilContextCancel(ctx, collectInterval/5, true, func(ctx context.Context) (bool, error) {
		objects, err := r.snapshot(ctx)
		if err != nil {
			return false, err
		}
		objects = slices.DeleteFunc(objects, func(obj unstructured.Unstructured) bool { return !r.owns(obj) })
		for i := range objects {
			obj := &objects[i]
			err := r.admin.Delete(ctx, obj, client.GracePeriodSeconds(0), client.PropagationPolicy(metav1.DeletePropagationBackground))
			if err == nil && len(obj.GetFinalizers()) > 0 {
				err = r.admin.Patch(ctx, obj, noFinalizers)
			}
			if client.IgnoreNotFound(err) != nil {
				return false, err
			}
		}
		return len(objects) == 0, nil
	})
	if err == nil && !r.collects {
		err = client.IgnoreNotFound(r.admin.Delete(ctx, namespaceObject(r.namespace)))
	}
	if err != nil {
		return fmt.Errorf("deleting the objects of namespace %s: %w", r.namespace, err)
	}
	return nil
}

// owns reports whether the run created an object.
func (r *run) owns(obj unstructured.Unstructured) bool {
	if obj.GetNamespace() == r.namespace {
		return true
	}
	created := func(w plan.Write) bool { return w.Created() && w.UID == string(obj.GetUID()) }
	return slices.ContainsFunc(r.injector.Recording().Writes, created) || slices.ContainsFunc(r.applied.Recording().Writes, created)
}
