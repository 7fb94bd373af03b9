package readonly

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

var (
	pods  = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	heads = schema.GroupVersionResource{Group: "demo.test", Version: "v1", Resource: "heads"}
)

// serve starts an API server, and returns a client of it.
func serve(t *testing.T, handle http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	c, err := New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// No request that could write something reaches the API server.
func TestOnlyReads(t *testing.T) {
	t.Parallel()
	requests := 0
	c := serve(t, func(out http.ResponseWriter, _ *http.Request) {
		requests++
		out.WriteHeader(http.StatusOK)
	})
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Pod"}}
	u.SetName("web")
	for _, r := range []struct {
		resource schema.GroupVersionResource
		kind     string
	}{{pods, "Pod"}, {heads, "Head"}} {
		resource := c.Resource(r.resource, r.kind).Namespace("default")
		_, created := resource.Create(t.Context(), u, metav1.CreateOptions{})
		_, updated := resource.Update(t.Context(), u, metav1.UpdateOptions{})
		_, patched := resource.Patch(t.Context(), "web", "application/merge-patch+json", []byte("{}"), metav1.PatchOptions{})
		deleted := resource.Delete(t.Context(), "web", metav1.DeleteOptions{})
		all := resource.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{})
		for verb, err := range map[string]error{"create": created, "update": updated, "patch": patched, "delete": deleted, "deletecollection": all} {
			if err == nil || !strings.Contains(err.Error(), "refusing to send") {
				t.Errorf("%s %s = %v, want a refusal", verb, r.kind, err)
			}
		}
	}
	if err := c.Metadata.Resource(pods).Namespace("default").Delete(t.Context(), "web", metav1.DeleteOptions{}); err == nil {
		t.Error("the client of metadata deleted a Pod")
	}
	if requests > 0 {
		t.Errorf("the API server got %d requests, want none", requests)
	}
}

// A list in protobuf equals a list in JSON, and an error is a Status in both.
func TestList(t *testing.T) {
	t.Parallel()
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7", Continue: "more"}}
	for _, name := range []string{"a", "b"} {
		list.Items = append(list.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, ManagedFields: []metav1.ManagedFieldsEntry{
			{Manager: "kubectl", Operation: "Update", APIVersion: "v1", Subresource: "status", Time: &metav1.Time{}, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{}}`)},
		}}})
	}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	refused := apierrors.NewForbidden(pods.GroupResource(), "", nil).ErrStatus
	refused.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Status"))
	results := map[string]*unstructured.UnstructuredList{}
	for name, encoder := range map[string]runtime.Encoder{
		runtime.ContentTypeJSON:     unstructured.UnstructuredJSONScheme,
		runtime.ContentTypeProtobuf: protobuf.NewSerializer(scheme.Scheme, scheme.Scheme),
	} {
		c := serve(t, func(out http.ResponseWriter, request *http.Request) {
			out.Header().Set("Content-Type", name)
			object := runtime.Object(list)
			if strings.Contains(request.URL.Path, "forbidden") {
				object = &refused
				out.WriteHeader(http.StatusForbidden)
			}
			if err := encoder.Encode(object, out); err != nil {
				t.Error(err)
			}
		})
		got, err := c.Resource(pods, "Pod").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, item := range got.Items {
			delete(item.Object, "spec") // An encoding omits empty fields as it likes.
			delete(item.Object, "status")
		}
		results[name] = got
		if _, err := c.Resource(pods, "Pod").Namespace("forbidden").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("%s: error %v, want forbidden", name, err)
		}
	}
	if diff := cmp.Diff(results[runtime.ContentTypeJSON], results[runtime.ContentTypeProtobuf]); diff != "" || results[runtime.ContentTypeJSON].GetContinue() != "more" {
		t.Errorf("lists (-JSON +protobuf):\n%s", diff)
	}
}
