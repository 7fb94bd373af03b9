package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

// resource is a kind whose objects can be listed and deleted.
type resource struct {
	kind       schema.GroupVersionKind
	namespaced bool
}

// byproducts are kinds of objects that controllers create and delete together with other objects.
// Endpoints have the labels of their Service.
var byproducts = []schema.GroupKind{
	{Kind: "Event"}, {Group: "events.k8s.io", Kind: "Event"}, {Kind: "Endpoints"}, {Group: "discovery.k8s.io", Kind: "EndpointSlice"},
}

// resources returns the kinds of objects that users create, in the versions that the API server
// prefers. It leaves out the groups of aggregated servers that do not answer: no object of a
// sandbox is in them.
func (c *Cluster) resources() ([]resource, error) {
	lists, err := c.clientset.Discovery().ServerPreferredResources()
	if err != nil && len(lists) == 0 {
		return nil, fmt.Errorf("listing the kinds of the API server: %w", err)
	}
	var found []resource
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("listing the kinds of the API server: %w", err)
		}
		for _, r := range list.APIResources {
			kind := group.WithKind(r.Kind)
			if slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "delete") && !slices.Contains(byproducts, kind.GroupKind()) {
				found = append(found, resource{kind: kind, namespaced: r.Namespaced})
			}
		}
	}
	return found, nil
}

// list returns the metadata of objects of some kinds, sorted by kind and name. It ignores kinds
// that were deleted meanwhile.
func (c *Cluster) list(ctx context.Context, resources []resource, options ...client.ListOption) ([]*unstructured.Unstructured, error) {
	lists, err := each(ctx, resources, func(ctx context.Context, r resource) (found []*unstructured.Unstructured, err error) {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(r.kind.GroupVersion().WithKind(r.kind.Kind + "List"))
		if err := c.client.List(ctx, list, options...); err != nil {
			if Gone(err) || apierrors.IsMethodNotSupported(err) {
				return nil, nil
			}
			return nil, fmt.Errorf("listing objects of kind %s: %w", r.kind.Kind, err)
		}
		for i := range list.Items {
			found = append(found, metadataOf(r.kind, &list.Items[i]))
		}
		return found, nil
	})
	found := slices.Concat(lists...)
	slices.SortFunc(found, func(a, b *unstructured.Unstructured) int { return strings.Compare(Describe(a), Describe(b)) })
	return found, err
}

func metadataOf(kind schema.GroupVersionKind, of *metav1.PartialObjectMetadata) *unstructured.Unstructured {
	obj := kinds.New(kind, of.Namespace, of.Name)
	obj.SetUID(of.UID)
	obj.SetLabels(of.Labels)
	obj.SetAnnotations(of.Annotations)
	obj.SetOwnerReferences(of.OwnerReferences)
	obj.SetFinalizers(of.Finalizers)
	obj.SetDeletionTimestamp(of.DeletionTimestamp)
	return obj
}

// Objects returns the metadata of all objects that can be deleted, without events and endpoints.
func Objects(ctx context.Context, c *Cluster) ([]*unstructured.Unstructured, error) {
	resources, err := c.resources()
	if err != nil {
		return nil, err
	}
	return c.list(ctx, resources)
}

// Inventory lists by their labels all objects that the sandbox applied to a shared cluster. This
// includes objects of an earlier version, and of a state folder that was lost.
func Inventory(ctx context.Context, c *Cluster) ([]*unstructured.Unstructured, error) {
	resources, err := c.resources()
	if err != nil {
		return nil, err
	}
	return c.list(ctx, resources, c.LabelsOf(""))
}

// Prune deletes the objects of a component that were applied earlier and are not among objects. It
// keeps definitions, whose deletion would delete objects of users, and Namespaces. Custom resources,
// except cert-manager's, are pruned only with custom and in the groups of objects, because listing them
// can need webhooks; dependents are then deleted, too. Prune returns the names of the deleted objects.
func Prune(ctx context.Context, c *Cluster, component string, objects []*unstructured.Unstructured, custom bool) ([]string, error) {
	resources, err := c.resources()
	if err != nil {
		return nil, err
	}
	resources = slices.DeleteFunc(resources, func(r resource) bool {
		obj := &unstructured.Unstructured{}
		obj.SetGroupVersionKind(r.kind)
		listed := len(issued([]*unstructured.Unstructured{obj})) > 0 || custom && slices.ContainsFunc(objects, func(obj *unstructured.Unstructured) bool {
			return obj.GroupVersionKind().Group == r.kind.Group
		})
		phase := phaseOf(obj)
		return phase == phaseDefinitions || phase == phaseNamespaces || phase == phaseCustom && !listed
	})
	old, err := c.list(ctx, resources, c.LabelsOf(component))
	if err != nil {
		return nil, err
	}
	var names []string
	old = slices.DeleteFunc(old, func(live *unstructured.Unstructured) bool {
		keep := live.GetAnnotations()[AppliedAnnotation] == "" || len(live.GetOwnerReferences()) > 0 || slices.ContainsFunc(objects, func(obj *unstructured.Unstructured) bool {
			// The namespace of an object is a guess if its kind is unknown before the operator runs.
			return obj.GroupVersionKind().GroupKind() == live.GroupVersionKind().GroupKind() && obj.GetName() == live.GetName() &&
				(live.GetNamespace() == "" || obj.GetNamespace() == live.GetNamespace())
		})
		if !keep {
			names = append(names, Describe(live))
		}
		return keep
	})
	if custom {
		return names, DeleteWithDependents(ctx, c, old)
	}
	return names, Delete(ctx, c, old)
}

// Losses lists objects of other owners that would be deleted together with the inventory: objects
// of the kinds that it defines. It leaves out objects that have an owner.
func Losses(ctx context.Context, c *Cluster, inventory []*unstructured.Unstructured) ([]string, error) {
	resources, err := c.resources()
	if err != nil {
		return nil, err
	}
	defined, err := c.defined(ctx, inventory)
	if err != nil {
		return nil, err
	}
	resources = slices.DeleteFunc(resources, func(r resource) bool { return !defined[r.kind.GroupKind()] })
	return c.guests(ctx, resources, func(*unstructured.Unstructured) bool { return false })
}

func (c *Cluster) defined(ctx context.Context, inventory []*unstructured.Unstructured) (map[schema.GroupKind]bool, error) {
	defined := map[schema.GroupKind]bool{}
	for _, obj := range phases(inventory)[phaseDefinitions] {
		live, err := read(ctx, c, obj)
		if err != nil {
			return nil, err
		}
		if live == nil {
			continue
		}
		group, _, _ := unstructured.NestedString(live.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(live.Object, "spec", "names", "kind")
		defined[schema.GroupKind{Group: group, Kind: kind}] = true
	}
	return defined, nil
}

// Scope is the part of a shared cluster that concerns the sandbox: its objects, all objects in its
// own namespaces, and the objects of kinds that it defined.
type Scope struct {
	cluster    *Cluster
	kinds      map[schema.GroupKind]bool
	namespaces map[string]bool
}

// ScopeOf returns the scope of the sandbox.
func ScopeOf(ctx context.Context, c *Cluster) (Scope, error) {
	inventory, err := Inventory(ctx, c)
	if err != nil {
		return Scope{}, err
	}
	s := Scope{cluster: c, namespaces: map[string]bool{}}
	for _, obj := range phases(inventory)[phaseNamespaces] {
		s.namespaces[obj.GetName()] = true
	}
	s.kinds, err = c.defined(ctx, inventory)
	return s, err
}

// Namespaces returns the sorted names of the sandbox's own namespaces.
func (s Scope) Namespaces() []string { return slices.Sorted(maps.Keys(s.namespaces)) }

// Has reports whether an object is within the scope.
func (s Scope) Has(obj *unstructured.Unstructured) bool {
	return s.cluster.Owns(obj) || s.namespaces[obj.GetNamespace()] || s.kinds[obj.GroupVersionKind().GroupKind()]
}

// guests lists the objects of users. It leaves out the sandbox's objects, objects that have an
// owner, and objects for which ignore returns true.
func (c *Cluster) guests(ctx context.Context, resources []resource, ignore func(*unstructured.Unstructured) bool, options ...client.ListOption) ([]string, error) {
	objects, err := c.list(ctx, resources, options...)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, obj := range objects {
		if !c.Owns(obj) && len(obj.GetOwnerReferences()) == 0 && !ignore(obj) {
			found = append(found, Describe(obj))
		}
	}
	return found, nil
}

// everywhere are objects that Kubernetes and OpenShift create in every namespace.
var everywhere = []string{
	"ServiceAccount default", "ServiceAccount builder", "ServiceAccount deployer",
	"ConfigMap kube-root-ca.crt", "ConfigMap openshift-service-ca.crt",
	"RoleBinding system:image-pullers", "RoleBinding system:image-builders", "RoleBinding system:deployers",
}

// Generated reports whether a controller created an object for another one.
func Generated(obj *unstructured.Unstructured) bool {
	switch obj.GetKind() {
	case "Lease":
		return true // Its holder is another object.
	case "Secret":
		annotations := obj.GetAnnotations()
		_, issued := annotations[component.CertificateName]
		_, injectable := annotations[component.Injectable]
		_, account := annotations[corev1.ServiceAccountNameKey]
		return issued || injectable || account
	}
	return slices.Contains(everywhere, obj.GetKind()+" "+obj.GetName())
}
