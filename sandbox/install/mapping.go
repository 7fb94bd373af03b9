package install

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"
)

// Kind is a kind that an API server serves.
type Kind struct {
	schema.GroupVersionKind
	// Namespaced is whether its objects belong to namespaces.
	Namespaced bool
}

// KindCalled finds the kind that a user calls by its name, as kubectl does: memcached, Memcached, memcacheds, a short name, and any of
// them with a group (memcacheds.cache.example.com) or a version and a group. The error is a [meta.NoKindMatchError] or a
// [meta.NoResourceMatchError] where there is none.
func (c *Cluster) KindCalled(ctx context.Context, name string) (Kind, error) {
	discovery := memory.NewMemCacheClient(c.clientset.Discovery())
	deferred := restmapper.NewDeferredDiscoveryRESTMapper(discovery)
	mapper := restmapper.NewShortcutExpander(deferred, discovery, func(string) {})
	if err := ctx.Err(); err != nil {
		return Kind{}, err
	}
	mapping, err := mappingOf(mapper, name)
	if err != nil {
		return Kind{}, fmt.Errorf("finding the kind %q: %w", name, err)
	}
	return Kind{mapping.GroupVersionKind, mapping.Scope.Name() == meta.RESTScopeNameNamespace}, nil
}

// mappingOf looks a name up first as a resource's, then as a kind's.
func mappingOf(mapper meta.RESTMapper, name string) (*meta.RESTMapping, error) {
	// Resources are in lower case; ParseResourceArg takes NAME.VERSION.GROUP apart, if it may be that.
	full, short := schema.ParseResourceArg(strings.ToLower(name))
	resources := []schema.GroupVersionResource{short.WithVersion("")}
	if full != nil {
		resources = append([]schema.GroupVersionResource{*full}, resources...)
	}
	for _, resource := range resources {
		if kind, err := mapper.KindFor(resource); err == nil {
			return mapper.RESTMapping(kind.GroupKind(), kind.Version)
		} else if !meta.IsNoMatchError(err) {
			return nil, err
		}
	}
	kind, group := schema.ParseKindArg(name)
	if kind != nil {
		if mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version); err == nil {
			return mapping, nil
		}
	}
	return mapper.RESTMapping(group)
}

// KindNames are the names of the kinds that are served, in lower case, for errors about one that is not.
func (c *Cluster) KindNames() []string {
	_, lists, _ := c.clientset.Discovery().ServerGroupsAndResources() // What answered is enough.
	var names []string
	for _, list := range lists {
		for _, resource := range list.APIResources {
			if !strings.Contains(resource.Name, "/") {
				names = append(names, strings.ToLower(resource.Kind))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
