package oracle

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/wire"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// Snapshot is a set of objects at one time.
type Snapshot []unstructured.Unstructured

// TakeSnapshot reads the objects of these resources from the API server at base: all in the
// namespace, and for resources without namespaces and other namespaces the objects that the
// recordings wrote. Events, leases, and the objects that the cluster creates in each namespace are left out. A
// resource that the API server does not have is empty.
func TakeSnapshot(ctx context.Context, client *http.Client, base *url.URL, namespace string, resources []plan.Resource, written ...*plan.Recording) (out Snapshot, err error) {
	uids := map[types.UID]bool{}
	defer func() {
		out = slices.DeleteFunc(out, func(obj unstructured.Unstructured) bool {
			double := uids[obj.GetUID()] // in another version of the API
			uids[obj.GetUID()] = true
			return double || isClusters(obj)
		})
	}()
	for _, r := range resources {
		if !r.Namespaced || wire.IsNoise(r.Group, r.Resource) || namespace == "" {
			continue
		}
		items, err := readObjects(ctx, client, base, path(r, namespace, ""))
		if err != nil {
			return nil, err
		}
		out = append(out, items...)
	}
	seen := map[string]bool{}
	for _, recording := range written {
		for _, w := range recording.Writes {
			if w.ActualName == "" || w.ActualNamespace != "" && w.ActualNamespace == namespace {
				continue
			}
			p := path(plan.Resource{GroupVersionResource: w.GVR()}, w.ActualNamespace, w.ActualName)
			if seen[p] {
				continue
			}
			seen[p] = true
			items, err := readObjects(ctx, client, base, p)
			if err != nil {
				return nil, err
			}
			out = append(out, items...)
		}
	}
	return out, nil
}

// isClusters reports whether the cluster itself creates the object in each namespace.
func isClusters(obj unstructured.Unstructured) bool {
	switch obj.GetKind() + " " + obj.GetName() {
	case "ConfigMap kube-root-ca.crt", "ConfigMap openshift-service-ca.crt",
		"ServiceAccount default", "ServiceAccount builder", "ServiceAccount deployer":
		return true
	}
	return false
}

// path returns the path of an object, or of all objects in the namespace if name is empty.
func path(r plan.Resource, namespace, name string) string {
	elements := []string{"apis", r.Group, r.Version}
	if r.Group == "" {
		elements = []string{"api", r.Version}
	}
	if namespace != "" {
		elements = append(elements, "namespaces", namespace)
	}
	elements = append(elements, r.Resource)
	if name != "" {
		elements = append(elements, name)
	}
	return (&url.URL{}).JoinPath(elements...).Path
}

// readObjects reads an object or a list. It returns none for an object or resource that does not exist.
func readObjects(ctx context.Context, client *http.Client, base *url.URL, path string) (Snapshot, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(path).String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reading objects: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading objects at %s: %w", path, err)
	case resp.StatusCode == http.StatusNotFound:
		return nil, nil
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("reading objects at %s: got status %s", path, resp.Status)
	}
	obj, _, err := unstructured.UnstructuredJSONScheme.Decode(body, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("decoding objects at %s: %w", path, err)
	}
	switch o := obj.(type) {
	case *unstructured.UnstructuredList:
		return o.Items, nil
	case *unstructured.Unstructured:
		return Snapshot{*o}, nil
	}
	return nil, nil
}
