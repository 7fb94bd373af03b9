// Package related decides which kinds of objects a watcher needs to see everything that controllers
// do about an object. It sends no requests.
//
// The first kinds are the kind of the object, the other kinds of its API group and of groups above
// and below it, the kinds that operators usually create, and the kinds that Kubernetes' own
// controllers create for those. Later ones are found in the changed objects: their owners, the kinds
// that their specs refer to, and the objects of Events. Dependents of other kinds have to be
// searched: see [Kinds.Others] and [Kinds.Depends].
package related

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// Resource is a resource that an API server serves, and that can be listed and watched.
type Resource struct {
	schema.GroupVersionResource
	Kind       string
	Namespaced bool
}

// GroupKind returns the kind with its group.
func (r Resource) GroupKind() schema.GroupKind {
	return schema.GroupKind{Group: r.Group, Kind: r.Kind}
}

// ignored are the resources that are never watched: they change all the time, or repeat others.
var ignored = []schema.GroupResource{
	{Resource: "nodes"}, {Resource: "endpoints"}, {Resource: "componentstatuses"}, {Group: "events.k8s.io", Resource: "events"},
	{Group: "coordination.k8s.io", Resource: "leases"}, {Group: "discovery.k8s.io", Resource: "endpointslices"},
	{Group: "metrics.k8s.io", Resource: "pods"}, {Group: "metrics.k8s.io", Resource: "nodes"},
}

// Served returns the resources of a discovery that can be listed and watched, except Nodes, Leases,
// Endpoints, metrics, and the second API of Events.
func Served(lists []*metav1.APIResourceList) []Resource {
	var served []Resource
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue // No resource can be requested from it.
		}
		for _, r := range list.APIResources {
			gvr := version.WithResource(r.Name)
			if !slices.Contains(ignored, gvr.GroupResource()) && slices.Contains(r.Verbs, "watch") && slices.Contains(r.Verbs, "list") {
				served = append(served, Resource{gvr, r.Kind, r.Namespaced})
			}
		}
	}
	return served
}

var (
	event = schema.GroupKind{Kind: "Event"}
	// created are the namespaced kinds that operators usually create.
	created = []schema.GroupKind{
		{Kind: "Pod"}, {Kind: "Service"}, {Kind: "ConfigMap"}, {Kind: "Secret"}, {Kind: "ServiceAccount"}, {Kind: "PersistentVolumeClaim"},
		{Group: "apps", Kind: "Deployment"}, {Group: "apps", Kind: "StatefulSet"}, {Group: "apps", Kind: "DaemonSet"},
		{Group: "batch", Kind: "Job"}, {Group: "batch", Kind: "CronJob"},
		{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}, {Group: "policy", Kind: "PodDisruptionBudget"},
		{Group: "networking.k8s.io", Kind: "Ingress"}, {Group: "networking.k8s.io", Kind: "NetworkPolicy"},
		{Group: "rbac.authorization.k8s.io", Kind: "Role"}, {Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"},
	}
	// children are the kinds that controllers of Kubernetes create for an object.
	children = map[schema.GroupKind][]schema.GroupKind{
		{Group: "apps", Kind: "Deployment"}:  {{Group: "apps", Kind: "ReplicaSet"}},
		{Group: "apps", Kind: "ReplicaSet"}:  {{Kind: "Pod"}},
		{Group: "apps", Kind: "StatefulSet"}: {{Kind: "Pod"}, {Kind: "PersistentVolumeClaim"}, {Group: "apps", Kind: "ControllerRevision"}},
		{Group: "apps", Kind: "DaemonSet"}:   {{Kind: "Pod"}, {Group: "apps", Kind: "ControllerRevision"}},
		{Group: "batch", Kind: "CronJob"}:    {{Group: "batch", Kind: "Job"}},
		{Group: "batch", Kind: "Job"}:        {{Kind: "Pod"}},
		{Kind: "ReplicationController"}:      {{Kind: "Pod"}},
	}
)

// isCustom reports whether a group is not one of Kubernetes itself.
func isCustom(group string) bool {
	return !scheme.Scheme.IsGroupRegistered(group) && group != "apiextensions.k8s.io" && group != "apiregistration.k8s.io"
}

// isNear reports whether two groups belong to one operator: they are equal, or one is a subdomain of
// the other, as image.toolkit.fluxcd.io of toolkit.fluxcd.io.
func isNear(a, b string) bool {
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}
