// Package kinds finds the kinds that an API server serves by the names that kubectl accepts.
package kinds

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/suggest"
)

// Kind is a kind that an API server serves.
type Kind struct {
	schema.GroupVersionKind
	// Namespaced is true if its objects belong to namespaces.
	Namespaced bool
}

// Called returns the kind with a name that kubectl accepts: memcached, Memcached, memcacheds, a
// short name, and any of them with a group (memcacheds.cache.example.com) or with a version and a
// group. If there is none, the error is a [meta.NoKindMatchError] or a [meta.NoResourceMatchError].
func Called(ctx context.Context, c *apply.Cluster, name string) (Kind, error) {
	discovery := memory.NewMemCacheClient(c.Clientset().Discovery())
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

// UnknownError means that the API server serves no kind with a name that the user wrote.
type UnknownError struct{ message string }

// Error returns the message.
func (e *UnknownError) Error() string { return e.message }

// Unknown returns an [UnknownError], with a similar name if there is one. The format has one %q for
// the name.
func Unknown(c *apply.Cluster, name, format string) error {
	return &UnknownError{fmt.Sprintf(format, name) + suggest.Hint(name, Names(c))}
}

// mappingOf searches the resources first, then the kinds.
func mappingOf(mapper meta.RESTMapper, name string) (*meta.RESTMapping, error) {
	// Names of resources are in lower case. ParseResourceArg parses NAME.VERSION.GROUP, if the name
	// has that form.
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

// NameOf returns the shortest name of a kind for kubectl: memcached, or cronjob.batch.example.com if
// the API server has that kind in several groups, or cannot be asked.
func NameOf(ctx context.Context, c *apply.Cluster, kind schema.GroupVersionKind) string {
	name := strings.ToLower(kind.Kind)
	if found, err := Called(ctx, c, name); err != nil || found.Group != kind.Group {
		return strings.TrimSuffix(name+"."+kind.Group, ".")
	}
	return name
}

// Names returns the sorted names of the served kinds in lower case, for errors about unknown
// kinds. It ignores errors: a part of the names is enough.
func Names(c *apply.Cluster) []string {
	_, lists, _ := c.Clientset().Discovery().ServerGroupsAndResources()
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
