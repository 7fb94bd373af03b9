package inject

import (
	"context"
	"net/http"
	"net/url"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Snapshot is a set of objects at one time.
type Snapshot []unstructured.Unstructured

// TakeSnapshot reads the objects of these resources from the API server at base: all in the
// namespace, and for resources without namespaces and other namespaces those that the recording
// wrote. Events and leases are left out. A resource that the API server does not have is empty.
func TakeSnapshot(ctx context.Context, client *http.Client, base *url.URL, namespace string, resources []Resource, written *Recording) (Snapshot, error) {
	panic("TODO")
}
