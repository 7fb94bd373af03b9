package install

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// resource is a kind whose objects can be listed and deleted.
type resource struct {
	kind       schema.GroupVersionKind
	namespaced bool
}

// byproducts are kinds of objects that controllers make beside others, and remove with them. Endpoints have their Service's labels.
var byproducts = []schema.GroupKind{
	{Kind: "Event"}, {Group: "events.k8s.io", Kind: "Event"}, {Kind: "Endpoints"}, {Group: "discovery.k8s.io", Kind: "EndpointSlice"},
}

// resources are those whose objects somebody may have made, in the version that the API server prefers. Groups that can't be
// asked, since the server behind them is down, are left out: nothing of a sandbox's is in them.
func (c *Cluster) resources() ([]resource, error) {
	lists, err := c.clientset.Discovery().ServerPreferredResources()
	if err != nil && len(lists) == 0 {
		return nil, fmt.Errorf("asking the API server for its kinds: %w", err)
	}
	var found []resource
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("asking the API server for its kinds: %w", err)
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

// list lists objects of some kinds, without their content. Kinds that are gone meanwhile have none.
func (c *Cluster) list(ctx context.Context, resources []resource, options ...client.ListOption) ([]*unstructured.Unstructured, error) {
	var mu sync.Mutex
	var found []*unstructured.Unstructured
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelism)
	for _, r := range resources {
		group.Go(func() error {
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(r.kind.GroupVersion().WithKind(r.kind.Kind + "List"))
			if err := c.client.List(ctx, list, options...); err != nil {
				if gone(err) || apierrors.IsMethodNotSupported(err) {
					return nil
				}
				return fmt.Errorf("listing objects of kind %s: %w", r.kind.Kind, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range list.Items {
				found = append(found, identity(r.kind, &list.Items[i]))
			}
			return nil
		})
	}
	err := group.Wait()
	slices.SortFunc(found, func(a, b *unstructured.Unstructured) int { return strings.Compare(describe(a), describe(b)) })
	return found, err
}

// identity is who an object is and whose.
func identity(kind schema.GroupVersionKind, of *metav1.PartialObjectMetadata) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(kind)
	obj.SetNamespace(of.Namespace)
	obj.SetName(of.Name)
	obj.SetUID(of.UID)
	obj.SetLabels(of.Labels)
	obj.SetAnnotations(of.Annotations)
	obj.SetOwnerReferences(of.OwnerReferences)
	return obj
}

// Inventory lists everything that the sandbox applied to a shared cluster, by its labels: also what an earlier version of it did,
// and what a state folder that was lost knew of.
func Inventory(ctx context.Context, c *Cluster) ([]*unstructured.Unstructured, error) {
	resources, err := c.resources()
	if err != nil {
		return nil, err
	}
	return c.list(ctx, resources, c.labelsOf(""))
}

// Losses lists objects of others that would go with the inventory: those of kinds that it defines. What belongs to another object
// goes with that and is not listed.
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
	objects, err := c.list(ctx, resources)
	if err != nil {
		return nil, err
	}
	var lost []string
	for _, obj := range objects {
		if !c.owns(obj) && len(obj.GetOwnerReferences()) == 0 {
			lost = append(lost, describe(obj))
		}
	}
	return lost, nil
}

// defined are the kinds that an inventory defines.
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

// Scope is what of a shared cluster has to do with the sandbox: its objects, everything in namespaces of its own, and the objects of
// kinds that it defined.
type Scope struct {
	cluster    *Cluster
	kinds      map[schema.GroupKind]bool
	namespaces map[string]bool
}

// ScopeOf finds the sandbox's scope.
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

// Namespaces are the sandbox's own, in the order of their names.
func (s Scope) Namespaces() []string { return slices.Sorted(maps.Keys(s.namespaces)) }

// Has tells whether an object is within the scope.
func (s Scope) Has(obj *unstructured.Unstructured) bool {
	return s.cluster.owns(obj) || s.namespaces[obj.GetNamespace()] || s.kinds[obj.GroupVersionKind().GroupKind()]
}

// guests lists what others have in a namespace: what is neither the sandbox's, nor belongs to another object, nor is made for
// every namespace, nor was made by cert-manager or an elected leader for the sandbox.
func (c *Cluster) guests(ctx context.Context, resources []resource, namespace string) ([]string, error) {
	inside := slices.DeleteFunc(slices.Clone(resources), func(r resource) bool { return !r.namespaced })
	objects, err := c.list(ctx, inside, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, obj := range objects {
		if !c.owns(obj) && len(obj.GetOwnerReferences()) == 0 && !made(obj) {
			found = append(found, describe(obj))
		}
	}
	return found, nil
}

// everywhere are objects that Kubernetes and OpenShift make in every namespace.
var everywhere = []string{
	"ServiceAccount default", "ServiceAccount builder", "ServiceAccount deployer",
	"ConfigMap kube-root-ca.crt", "ConfigMap openshift-service-ca.crt",
	"RoleBinding system:image-pullers", "RoleBinding system:image-builders", "RoleBinding system:deployers",
}

// made tells whether an object was made by a machine for something else.
func made(obj *unstructured.Unstructured) bool {
	switch obj.GetKind() {
	case "Lease":
		return true // Who holds one is another object.
	case "Secret":
		annotations := obj.GetAnnotations()
		_, issued := annotations["cert-manager.io/certificate-name"]
		_, injectable := annotations["cert-manager.io/allow-direct-injection"]
		_, account := annotations[corev1.ServiceAccountNameKey]
		return issued || injectable || account
	}
	return slices.Contains(everywhere, obj.GetKind()+" "+obj.GetName())
}
