package wire

import (
	"net/http"
	"net/url"
	"testing"
)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, path string
		want         Request
		counts       bool
	}{
		{"GET", "/api/v1/pods", Request{Verb: "list", Version: "v1", Resource: "pods"}, false},
		{"GET", "/api/v1/pods?watch=true", Request{Verb: "watch", Version: "v1", Resource: "pods"}, false},
		{"GET", "/api/v1/watch/pods", Request{Verb: "watch", Version: "v1", Resource: "pods"}, false},
		{"GET", "/api/v1/pods?watch=false", Request{Verb: "list", Version: "v1", Resource: "pods"}, false},
		{"GET", "/api/v1/namespaces/a/pods/b", Request{Verb: "get", Version: "v1", Resource: "pods", Namespace: "a", Name: "b"}, false},
		{"POST", "/api/v1/namespaces/a/pods", Request{Verb: "create", Version: "v1", Resource: "pods", Namespace: "a"}, true},
		{"POST", "/api/v1/namespaces", Request{Verb: "create", Version: "v1", Resource: "namespaces"}, true},
		{"PUT", "/api/v1/namespaces/a", Request{Verb: "update", Version: "v1", Resource: "namespaces", Name: "a"}, true},
		{"PUT", "/api/v1/namespaces/a/finalize", Request{Verb: "update", Version: "v1", Resource: "namespaces", Name: "a", Subresource: "finalize"}, true},
		{"PATCH", "/api/v1/namespaces/a/status", Request{Verb: "patch", Version: "v1", Resource: "namespaces", Name: "a", Subresource: "status"}, true},
		{"PATCH", "/apis/apps/v1/namespaces/a/deployments/b/status", Request{Verb: "patch", Group: "apps", Version: "v1", Resource: "deployments", Namespace: "a", Name: "b", Subresource: "status"}, true},
		{"PUT", "/apis/apps/v1/namespaces/a/deployments/b/scale", Request{Verb: "update", Group: "apps", Version: "v1", Resource: "deployments", Namespace: "a", Name: "b", Subresource: "scale"}, true},
		{"DELETE", "/apis/example.com/v1/things/b", Request{Verb: "delete", Group: "example.com", Version: "v1", Resource: "things", Name: "b"}, true},
		{"DELETE", "/apis/example.com/v1/things", Request{Verb: "deletecollection", Group: "example.com", Version: "v1", Resource: "things"}, true},
		{"POST", "/k8s/clusters/c/api/v1/namespaces/a/secrets", Request{Verb: "create", Version: "v1", Resource: "secrets", Namespace: "a"}, true},
		{"POST", "/api/v1/namespaces/a/pods?dryRun=All", Request{Verb: "create", Version: "v1", Resource: "pods", Namespace: "a", DryRun: true}, false},
		{"POST", "/api/v1/namespaces/a/events", Request{Verb: "create", Version: "v1", Resource: "events", Namespace: "a"}, false},
		{"POST", "/apis/events.k8s.io/v1/namespaces/a/events", Request{Verb: "create", Group: "events.k8s.io", Version: "v1", Resource: "events", Namespace: "a"}, false},
		{"PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/b", Request{Verb: "update", Group: "coordination.k8s.io", Version: "v1", Resource: "leases", Namespace: "a", Name: "b"}, false},
		{"POST", "/apis/authentication.k8s.io/v1/tokenreviews", Request{Verb: "create", Group: "authentication.k8s.io", Version: "v1", Resource: "tokenreviews"}, false},
		{"POST", "/api/v1/namespaces/a/serviceaccounts/b/token", Request{Verb: "create", Version: "v1", Resource: "serviceaccounts", Namespace: "a", Name: "b", Subresource: "token"}, false},
		{"POST", "/api/v1/namespaces/a/pods/b/eviction", Request{Verb: "create", Version: "v1", Resource: "pods", Namespace: "a", Name: "b", Subresource: "eviction"}, true},
		{"POST", "/api/v1/namespaces/a/services/b/proxy/c/d", Request{Verb: "create", Version: "v1", Resource: "services", Namespace: "a", Name: "b", Subresource: "proxy/c/d"}, false},
	} {
		got, ok := ParseRequest(request(t, c.method, c.path))
		if !ok || got != c.want {
			t.Errorf("ParseRequest(%s %s) = %+v, %t, want %+v", c.method, c.path, got, ok, c.want)
		}
		if got.Counts() != c.counts {
			t.Errorf("ParseRequest(%s %s).Counts() = %t, want %t", c.method, c.path, got.Counts(), c.counts)
		}
	}
	for _, path := range []string{"/", "/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1", "/version", "/healthz", "/openapi/v3/apis/apps/v1//x", "/api/v1/watch"} {
		if got, ok := ParseRequest(request(t, "GET", path)); ok {
			t.Errorf("ParseRequest(GET %s) = %+v, want none", path, got)
		}
	}
}

func request(t *testing.T, method, path string) *http.Request {
	t.Helper()
	u, err := url.Parse("https://host" + path)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Request{Method: method, URL: u}
}

func FuzzParseRequest(f *testing.F) {
	f.Add("GET", "/api/v1/namespaces/a/pods/b/status", "watch=true")
	f.Add("POST", "/apis/g/v/r", "dryRun=All")
	f.Add("DELETE", "//api//", "%zz")
	f.Fuzz(func(t *testing.T, method, path, query string) {
		q, ok := ParseRequest(&http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}})
		if ok && (q.Verb == "" || q.Resource == "" || q.Version == "") {
			t.Errorf("ParseRequest(%s %s) = %+v without a verb, version or resource", method, path, q)
		}
		if q.Counts() && !ok {
			t.Errorf("ParseRequest(%s %s) counts %+v", method, path, q)
		}
	})
}
