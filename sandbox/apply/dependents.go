package apply

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// DeleteWithDependents is like [Delete], but also waits until the dependents of the objects are
// gone. Otherwise a caller that creates the objects again would find them. A dependent is an object
// whose owners are only these objects or dependents of them.
//
// The function does the work of the garbage collector, which learns about new kinds every 30 s
// (garbagecollector.Sync in Kubernetes' controller manager). In a new cluster, a deletion in the
// foreground takes that long.
func DeleteWithDependents(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error {
	deleted, err := each(ctx, objects, c.deleteOne)
	owners := sets.New(deleted...).Delete("")
	if err != nil || owners.Len() == 0 {
		return err
	}
	resources, err := c.resources()
	if err != nil {
		return err
	}
	namespaces := namespacesOf(objects)
	if namespaces[0] != "" {
		resources = slices.DeleteFunc(resources, func(r resource) bool { return !r.namespaced })
	}
	// The controller of an object creates its dependents again until the object is gone. So
	// delete one generation after the other.
	for {
		found, err := c.dependents(ctx, resources, namespaces, owners)
		if err != nil || len(found) == 0 {
			return err
		}
		if deleted, err = each(ctx, found, c.deleteDependent); err != nil {
			return err
		}
		owners.Insert(deleted...)
	}
}

// namespacesOf returns the namespaces in which dependents of objects can be: the namespace of their
// owner, as OwnerReference defines, or any namespace if an owner is cluster-scoped.
func namespacesOf(objects []*unstructured.Unstructured) []client.InNamespace {
	var namespaces []client.InNamespace
	for _, obj := range objects {
		namespaces = append(namespaces, client.InNamespace(obj.GetNamespace()))
	}
	slices.Sort(namespaces)
	namespaces = slices.Compact(namespaces)
	if namespaces[0] == "" {
		return namespaces[:1]
	}
	return namespaces
}

// dependents returns the objects with owners of which all are deleted.
func (c *Cluster) dependents(ctx context.Context, resources []resource, namespaces []client.InNamespace, deleted sets.Set[types.UID]) ([]*unstructured.Unstructured, error) {
	var found []*unstructured.Unstructured
	for _, namespace := range namespaces {
		objects, err := c.list(ctx, resources, namespace)
		if err != nil {
			return nil, fmt.Errorf("looking for dependents: %w", err)
		}
		found = append(found, slices.DeleteFunc(objects, func(obj *unstructured.Unstructured) bool {
			owners := obj.GetOwnerReferences()
			return len(owners) == 0 || slices.ContainsFunc(owners, func(r metav1.OwnerReference) bool { return !deleted.Has(r.UID) })
		})...)
	}
	return found, nil
}

// deleteDependent deletes an object, even without the sandbox's labels, and waits until it is gone.
func (c *Cluster) deleteDependent(ctx context.Context, obj *unstructured.Unstructured) (types.UID, error) {
	err := retry(ctx, "deleting "+Describe(obj), func(ctx context.Context) error {
		// A conflict is about the UID: another object has its name already.
		return ignore(func(err error) bool { return Gone(err) || apierrors.IsConflict(err) }, c.delete(ctx, obj))
	})
	if err != nil {
		return "", err
	}
	return obj.GetUID(), waitGone(ctx, c, obj, obj.GetUID())
}
