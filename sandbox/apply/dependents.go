package apply

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

// DeleteWithDependents is like [Delete], but also waits until the dependents of the objects are
// gone. Otherwise a caller that creates the objects again would find them. A dependent is an object
// whose owners are only these objects or dependents of them.
//
// The function does the work of the garbage collector, which learns about new kinds every 30 s
// (garbagecollector.Sync in Kubernetes' controller manager). In a new cluster, a deletion in the
// foreground takes that long.
func DeleteWithDependents(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error {
	owners := &deletedOwners{uids: map[types.UID]bool{}}
	err := each(ctx, objects, func(ctx context.Context, obj *unstructured.Unstructured) error {
		uid, err := deleteOne(ctx, c, obj)
		owners.add(uid)
		return err
	})
	if err != nil || len(owners.uids) == 0 {
		return err
	}
	resources, err := c.resources()
	if err != nil {
		return err
	}
	namespaces := namespacesOf(objects)
	if !slices.Contains(namespaces, client.InNamespace("")) {
		resources = slices.DeleteFunc(resources, func(r resource) bool { return !r.namespaced })
	}
	// The controller of an object creates its dependents again until the object is gone. So
	// delete one generation after the other.
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

// dependents returns the objects that the owners own.
func (c *Cluster) dependents(ctx context.Context, resources []resource, namespaces []client.InNamespace, owners *deletedOwners) ([]*unstructured.Unstructured, error) {
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

// deleteDependent deletes an object, even without the sandbox's labels, and waits until it is gone.
func (c *Cluster) deleteDependent(ctx context.Context, obj *unstructured.Unstructured) error {
	err := retry(ctx, "deleting "+Describe(obj), func(ctx context.Context) error {
		// A conflict is about the UID: another object has its name already.
		return ignore(func(err error) bool { return Gone(err) || apierrors.IsConflict(err) }, c.delete(ctx, obj))
	})
	if err != nil {
		return err
	}
	return waitGone(ctx, c, obj, obj.GetUID())
}

// deletedOwners are the UIDs of deleted objects. It is safe for concurrent additions.
type deletedOwners struct {
	mu   sync.Mutex
	uids map[types.UID]bool
}

func (d *deletedOwners) add(uid types.UID) {
	if uid == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.uids[uid] = true
}

// own reports whether an object has owners and all of them are deleted.
func (d *deletedOwners) own(obj *unstructured.Unstructured) bool {
	references := obj.GetOwnerReferences()
	return len(references) > 0 && !slices.ContainsFunc(references, func(r metav1.OwnerReference) bool { return !d.uids[r.UID] })
}
