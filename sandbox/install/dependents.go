package install

import (
	"context"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// DeleteWithDependents is [Delete] for objects whose dependents must be gone, too, when it returns: else who makes the objects anew
// would find them. Dependents are what names nothing but these objects, or dependents of theirs, as its owners.
//
// It does the garbage collector's work itself. That one learns of new kinds every 30 seconds (garbagecollector.Sync in Kubernetes'
// controller manager), so that a deletion in the foreground takes that long in a cluster that has just begun.
func DeleteWithDependents(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error {
	owners := &family{members: map[types.UID]bool{}}
	err := each(ctx, objects, func(ctx context.Context, obj *unstructured.Unstructured) error {
		uid, err := deleteOne(ctx, c, obj)
		owners.add(uid)
		return err
	})
	if err != nil || len(owners.members) == 0 {
		return err
	}
	resources, err := c.resources()
	if err != nil {
		return err
	}
	namespaces := namespacesOfAll(objects)
	if !slices.Contains(namespaces, client.InNamespace("")) {
		resources = slices.DeleteFunc(resources, func(r resource) bool { return !r.namespaced })
	}
	// A generation after the other: who owns the next one makes its members anew until it is gone itself.
	for {
		found, err := c.dependents(ctx, resources, namespaces, owners)
		if err != nil || len(found) == 0 {
			return err
		}
		if err := each(ctx, found, c.deleteDependent); err != nil {
			return err
		}
		for _, obj := range found {
			owners.add(obj.GetUID())
		}
	}
}

// namespacesOfAll are where dependents of objects can be: in their owner's namespace (the API's definition of OwnerReference), in any
// if an owner has none.
func namespacesOfAll(objects []*unstructured.Unstructured) []client.InNamespace {
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

// dependents are the next generation of a family.
func (c *Cluster) dependents(ctx context.Context, resources []resource, namespaces []client.InNamespace, owners *family) ([]*unstructured.Unstructured, error) {
	var found []*unstructured.Unstructured
	for _, namespace := range namespaces {
		objects, err := c.list(ctx, resources, namespace)
		if err != nil {
			return nil, fmt.Errorf("looking for dependents: %w", err)
		}
		found = append(found, slices.DeleteFunc(objects, func(obj *unstructured.Unstructured) bool { return !owners.own(obj) })...)
	}
	return found, nil
}

// deleteDependent deletes an object, whoever made it, and waits until it is gone.
func (c *Cluster) deleteDependent(ctx context.Context, obj *unstructured.Unstructured) error {
	err := retry(ctx, "deleting "+describe(obj), func(ctx context.Context) error {
		err := c.client.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: new(obj.GetUID())})
		// A conflict is that of the UID: another object of its name is there already.
		return ignore(func(err error) bool { return gone(err) || apierrors.IsConflict(err) }, err)
	})
	if err != nil {
		return err
	}
	return waitGone(ctx, c, obj, obj.GetUID())
}

// family are objects that are gone, with whom goes what they own.
type family struct {
	mu      sync.Mutex
	members map[types.UID]bool
}

func (f *family) add(uid types.UID) {
	if uid == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[uid] = true
}

// own tells whether all owners of an object are of the family.
func (f *family) own(obj *unstructured.Unstructured) bool {
	references := obj.GetOwnerReferences()
	return len(references) > 0 && !slices.ContainsFunc(references, func(r metav1.OwnerReference) bool { return !f.members[r.UID] })
}
