// Package fetch reads an object with its owners, its dependents and their Events, for package
// retrospect. It only sends get and list requests.
package fetch

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// MaxObjects is the number of owners and dependents that are read.
	MaxObjects = 1000
	// MaxEvents is the maximum number of Events to read, and maxListed the maximum number of objects of
	// each kind.
	MaxEvents, maxListed = 10_000, 10_000
	// pageSize is the number of objects of one request.
	pageSize = 500
)

// Family is an object with its owners and its dependents.
type Family struct {
	// Objects has the object first. Secrets and ConfigMaps have only their metadata.
	Objects []*unstructured.Unstructured
	// Events are the Events about the objects.
	Events []*unstructured.Unstructured
	// Skipped are the resources that the user may not list, sorted.
	Skipped []string
	// Cut is true if there are more objects or Events than the limits.
	Cut bool
}

// reader reads one Family.
type reader struct {
	client client.Client
	family *Family
	known  map[types.UID]bool
}

// Read reads the family of an object. Dependents are searched in the namespaces of the object and its
// owners, or in all if one of them is cluster-scoped. Owners that are gone are left out. Groups of
// aggregated API servers that do not answer are left out, too.
func Read(ctx context.Context, c client.Client, d discovery.DiscoveryInterface, object *unstructured.Unstructured) (*Family, error) {
	r := &reader{client: c, family: &Family{Objects: []*unstructured.Unstructured{object}}, known: map[types.UID]bool{object.GetUID(): true}}
	if err := r.addOwners(ctx, object); err != nil {
		return nil, err
	}
	resources, err := resourcesOf(d)
	if err != nil {
		return nil, err
	}
	namespaces := r.namespaces()
	if err := r.addDependents(ctx, object.GetUID(), resources, namespaces); err != nil {
		return nil, err
	}
	for _, namespace := range namespaces {
		if err := r.addEvents(ctx, namespace); err != nil {
			return nil, err
		}
	}
	slices.Sort(r.family.Skipped)
	r.family.Skipped = slices.Compact(r.family.Skipped)
	return r.family, nil
}

// add reads an object. It returns false if that is not possible, or if there are too many.
func (r *reader) add(ctx context.Context, gvk schema.GroupVersionKind, key client.ObjectKey, uid types.UID) (*unstructured.Unstructured, error) {
	if r.known[uid] {
		return nil, nil
	}
	if len(r.family.Objects) >= MaxObjects {
		r.family.Cut = true
		return nil, nil
	}
	r.known[uid] = true
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	var err error
	if gvk.Group == "" && (gvk.Kind == "Secret" || gvk.Kind == "ConfigMap") {
		only := &metav1.PartialObjectMetadata{}
		only.SetGroupVersionKind(gvk)
		if err = r.client.Get(ctx, key, only); err == nil {
			u.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(only)
			u.SetGroupVersionKind(gvk)
		}
	} else {
		err = r.client.Get(ctx, key, u)
	}
	switch {
	case r.skips(err, gvk):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s %s: %w", gvk.Kind, key, err)
	case u.GetUID() != uid:
		return nil, nil // Another object has its name now.
	}
	r.family.Objects = append(r.family.Objects, u)
	return u, nil
}

// skips reports whether an error means that something can't be read, and notes what the user may not.
func (r *reader) skips(err error, gvk schema.GroupVersionKind) bool {
	if apierrors.IsForbidden(err) {
		r.family.Skipped = append(r.family.Skipped, gvk.GroupKind().String())
		return true
	}
	return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsServiceUnavailable(err)
}

// addOwners reads the owners of an object, and theirs. Owners can form a cycle.
func (r *reader) addOwners(ctx context.Context, object *unstructured.Unstructured) error {
	for next := []*unstructured.Unstructured{object}; len(next) > 0; next = next[1:] {
		for _, o := range next[0].GetOwnerReferences() {
			gvk := schema.FromAPIVersionAndKind(o.APIVersion, o.Kind)
			key := client.ObjectKey{Namespace: next[0].GetNamespace(), Name: o.Name}
			if mapping, err := r.client.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version); err == nil && mapping.Scope.Name() == meta.RESTScopeNameRoot {
				key.Namespace = ""
			}
			owner, err := r.add(ctx, gvk, key, o.UID)
			if err != nil {
				return err
			}
			if owner != nil {
				next = append(next, owner)
			}
		}
	}
	return nil
}

func (r *reader) namespaces() []string {
	var found []string
	for _, o := range r.family.Objects {
		found = append(found, o.GetNamespace())
	}
	slices.Sort(found)
	if found = slices.Compact(found); found[0] == "" {
		return found[:1] // All namespaces.
	}
	return found
}

// resource is a kind that can be listed.
type resource struct {
	schema.GroupVersionKind
	namespaced bool
}

func resourcesOf(d discovery.DiscoveryInterface) ([]resource, error) {
	lists, err := d.ServerPreferredResources()
	if err != nil && len(lists) == 0 {
		return nil, fmt.Errorf("listing the kinds of the API server: %w", err)
	}
	var found []resource
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue // No resource can be requested from it.
		}
		for _, one := range list.APIResources {
			kind := version.WithKind(one.Kind)
			if one.Kind != "Event" && one.Kind != "Lease" && one.Kind != "EndpointSlice" && slices.Contains(one.Verbs, "list") && slices.Contains(one.Verbs, "get") {
				found = append(found, resource{kind, one.Namespaced})
			}
		}
	}
	return found, nil
}

type dependent struct {
	kind schema.GroupVersionKind
	key  client.ObjectKey
	uid  types.UID
}

// addDependents reads the dependents of an object.
func (r *reader) addDependents(ctx context.Context, root types.UID, resources []resource, namespaces []string) error {
	owned, err := r.dependents(ctx, resources, namespaces)
	if err != nil {
		return err
	}
	for next := []types.UID{root}; len(next) > 0; next = next[1:] {
		for _, d := range owned[next[0]] {
			u, err := r.add(ctx, d.kind, d.key, d.uid)
			if err != nil {
				return err
			}
			if u != nil {
				next = append(next, d.uid)
			}
		}
	}
	return nil
}

// dependents returns the dependents of each object. It lists metadata only.
func (r *reader) dependents(ctx context.Context, resources []resource, namespaces []string) (map[types.UID][]dependent, error) {
	owned := map[types.UID][]dependent{}
	for _, one := range resources {
		for _, namespace := range namespaces {
			if !one.namespaced && namespace != "" {
				continue // Its owners are cluster-scoped.
			}
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(one.GroupVersion().WithKind(one.Kind + "List"))
			err := r.list(ctx, list, namespace, maxListed, func() {
				for i := range list.Items {
					item := &list.Items[i]
					for _, o := range item.OwnerReferences {
						owned[o.UID] = append(owned[o.UID], dependent{one.GroupVersionKind, client.ObjectKeyFromObject(item), item.UID})
					}
				}
			})
			if err != nil && !r.skips(err, one.GroupVersionKind) {
				return nil, fmt.Errorf("listing objects of kind %s: %w", one.Kind, err)
			}
		}
	}
	return owned, nil
}

// list lists objects by pages, and calls each after each page.
func (r *reader) list(ctx context.Context, list client.ObjectList, namespace string, most int, each func()) error {
	token := ""
	for n := 0; ; n += pageSize {
		if n >= most {
			r.family.Cut = true
			return nil
		}
		if err := r.client.List(ctx, list, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(token)); err != nil {
			return err
		}
		each()
		if token = list.GetContinue(); token == "" {
			return nil
		}
	}
}

func (r *reader) addEvents(ctx context.Context, namespace string) error {
	list := &unstructured.UnstructuredList{}
	kind := schema.GroupVersionKind{Version: "v1", Kind: "Event"}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind("EventList"))
	err := r.list(ctx, list, namespace, MaxEvents, func() {
		for i := range list.Items {
			if uid, _, _ := unstructured.NestedString(list.Items[i].Object, "involvedObject", "uid"); r.known[types.UID(uid)] {
				r.family.Events = append(r.family.Events, list.Items[i].DeepCopy())
			}
		}
	})
	if err != nil && !r.skips(err, kind) {
		return fmt.Errorf("listing Events: %w", err)
	}
	return nil
}
