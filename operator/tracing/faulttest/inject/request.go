package inject

import "net/http"

// Request is a request to a Kubernetes API server for a resource.
type Request struct {
	// Verb is get, list, watch, create, update, patch, delete or deletecollection.
	Verb                                  string
	Group, Version, Resource, Subresource string
	Namespace                             string // empty for objects without one, and for all namespaces
	Name                                  string // empty for a list, a watch, and most creates
}

// ParseRequest returns the resource request that r is. It returns false for discovery, health
// checks, and other paths.
func ParseRequest(r *http.Request) (Request, bool) { panic("TODO") }

// Counts reports whether the request is a write that plans are about. Dry runs, leases, events,
// reviews and tokens do not count, because operators do not converge through them.
func (q Request) Counts() bool { panic("TODO") }
