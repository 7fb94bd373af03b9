package wire

import (
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Request is a request to a Kubernetes API server for a resource.
type Request struct {
	// Verb is get, list, watch, create, update, patch, delete or deletecollection.
	Verb                                  string
	Group, Version, Resource, Subresource string
	Namespace                             string // empty for objects without one, and for all namespaces
	Name                                  string // empty for a list, a watch, and most creates
	DryRun                                bool
}

// ParseRequest returns the resource request that r is. It returns false for discovery, health
// checks, and other paths. A path before /api or /apis is ignored, as of a proxy.
func ParseRequest(r *http.Request) (Request, bool) {
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	root := slices.IndexFunc(segments, func(s string) bool { return s == "api" || s == "apis" })
	if root < 0 || slices.Contains(segments, "") {
		return Request{}, false
	}
	rest := segments[root+1:]
	var q Request
	if segments[root] == "apis" {
		if len(rest) == 0 {
			return Request{}, false
		}
		q.Group, rest = rest[0], rest[1:]
	}
	if len(rest) < 2 { // the version and a resource
		return Request{}, false
	}
	q.Version, rest = rest[0], rest[1:]
	legacyWatch := rest[0] == "watch"
	if legacyWatch {
		rest = rest[1:]
	}
	// A namespace itself is the resource for namespaces, namespaces/NAME, and its subresources.
	if len(rest) > 2 && rest[0] == "namespaces" && rest[2] != "status" && rest[2] != "finalize" {
		q.Namespace, rest = rest[1], rest[2:]
	}
	if len(rest) == 0 {
		return Request{}, false
	}
	q.Resource = rest[0]
	if len(rest) > 1 {
		q.Name = rest[1]
	}
	if len(rest) > 2 {
		q.Subresource = strings.Join(rest[2:], "/")
	}
	query := r.URL.Query()
	watch := legacyWatch || query.Has("watch") && query.Get("watch") != "false" && query.Get("watch") != "0"
	q.Verb = verb(r.Method, q.Name != "", watch)
	q.DryRun = query.Has("dryRun")
	return q, q.Verb != ""
}

func verb(method string, named, watch bool) string {
	switch method {
	case http.MethodGet, http.MethodHead:
		switch {
		case watch:
			return "watch"
		case named:
			return "get"
		}
		return "list"
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		if named {
			return "delete"
		}
		return "deletecollection"
	}
	return ""
}

func (q Request) isWrite() bool {
	switch q.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return true
	}
	return false
}

// Counts reports whether the request is a write that plans are about. Dry runs, leases, events,
// reviews, tokens and connections do not count, because operators do not converge through them.
func (q Request) Counts() bool {
	return q.isWrite() && !q.DryRun && !IsNoise(q.Group, q.Resource) && !isConnection(q.Subresource)
}

// IsNoise reports whether a resource has no part in converging.
func IsNoise(group, resource string) bool {
	switch group {
	case "authentication.k8s.io", "authorization.k8s.io", "events.k8s.io":
		return true
	case "coordination.k8s.io":
		return resource == "leases"
	case "":
		return resource == "events"
	}
	return false
}

func isConnection(subresource string) bool {
	name, _, _ := strings.Cut(subresource, "/")
	switch name {
	case "token", "exec", "attach", "portforward", "proxy":
		return true
	}
	return false
}

// GVR returns the resource of the request.
func (q Request) GVR() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: q.Group, Version: q.Version, Resource: q.Resource}
}
