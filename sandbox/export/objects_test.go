package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/export/redact"
)

// answers are the answers of an API server. It lists Pods in two pages, Secrets, and no Nodes.
// Listing Events fails, and Bindings cannot be listed.
var answers = map[string]string{
	"/api":  `{"kind":"APIVersions","versions":["v1"]}`,
	"/apis": `{"kind":"APIGroupList","groups":[]}`,
	"/api/v1": `{"kind":"APIResourceList","groupVersion":"v1","resources":[
		{"name":"pods","kind":"Pod","namespaced":true,"verbs":["list"]}, {"name":"secrets","kind":"Secret","namespaced":true,"verbs":["get","list"]},
		{"name":"nodes","kind":"Node","namespaced":false,"verbs":["list"]}, {"name":"events","kind":"Event","namespaced":true,"verbs":["list"]},
		{"name":"bindings","kind":"Binding","namespaced":true,"verbs":["create"]}]}`,
	"/api/v1/pods?limit=250":                  `{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"next"},"items":[{"metadata":{"name":"a"}}]}`,
	"/api/v1/pods?continue=next&limit=250":    `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"b"}}]}`,
	"/api/v1/nodes?limit=250":                 `{"kind":"NodeList","apiVersion":"v1","items":[]}`,
	"/api/v1/namespaces/one/pods?limit=250":   `{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"c"}}]}`,
	"/api/v1/secrets?limit=250":               secrets,
	"/api/v1/namespaces/one/events?limit=250": "",
}

const secrets = `{"kind":"SecretList","apiVersion":"v1","items":[{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},
	"data":{"password":"aHVudGVyMjIyMg==","ca.crt":"cHVibGlj"}}]}`

func serve(t *testing.T) *rest.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		query := r.URL.Query()
		query.Del("timeout") // Discovery sets its own timeout.
		requested := strings.TrimSuffix(r.URL.Path+"?"+query.Encode(), "?")
		answer := answers[requested]
		if answer == "" {
			w.WriteHeader(http.StatusInternalServerError)
			answer = `{"kind":"Status","status":"Failure","message":"out of order","code":500}`
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

// contents returns the output of each part, or its error.
func contents(t *testing.T, parts []Part) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, p := range parts {
		var out strings.Builder
		switch err := p.Get(t.Context(), &out); {
		case errors.Is(err, ErrNothing):
			found[p.Name] = "nothing"
		case err != nil:
			found[p.Name] = "error " + err.Error()
		default:
			found[p.Name] = out.String()
		}
	}
	return found
}

func TestObjects(t *testing.T) {
	t.Parallel()
	parts, err := Objects(t.Context(), serve(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := contents(t, parts)
	if text := got["objects/events.yaml"]; !strings.HasPrefix(text, "error ") || !strings.Contains(text, "out of order") {
		t.Errorf("objects/events.yaml = %q, want an error", text)
	}
	delete(got, "objects/events.yaml")
	want := map[string]string{
		"objects/nodes.yaml":   "nothing",
		"objects/pods.yaml":    "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: b\n",
		"objects/secrets.yaml": "---\napiVersion: v1\ndata:\n  ca.crt: '[hidden], 8 characters'\n  password: '[hidden], 16 characters'\nkind: Secret\nmetadata:\n  name: s\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestObjectsWithoutAServer(t *testing.T) {
	t.Parallel()
	if _, err := Objects(t.Context(), &rest.Config{Host: "127.0.0.1:1"}, nil); err == nil || !strings.Contains(err.Error(), "listing the kinds of the API server") {
		t.Errorf("Objects: got error %v", err)
	}
}

func TestKnownValues(t *testing.T) {
	t.Parallel()
	got, err := KnownValues(t.Context(), serve(t))
	if diff := cmp.Diff([]redact.Known{{Name: "password", Value: "hunter2222", Sure: true}}, got); diff != "" || err != nil {
		t.Errorf("KnownValues: error %v (-want +got):\n%s", err, diff)
	}
	if _, err := KnownValues(t.Context(), &rest.Config{Host: "127.0.0.1:1"}); err == nil {
		t.Error("KnownValues without a server: got no error")
	}
}

func TestCleanObjects(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, object, want string }{
		{"a Secret", `
apiVersion: v1
kind: Secret
metadata:
  name: a
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"data":{"password":"aHVudGVy"}}'}
  managedFields: [{manager: x}]
data: {password: aHVudGVy}
stringData: {more: hunter}
`, `
apiVersion: v1
kind: Secret
metadata: {name: a}
data: {password: "[hidden], 8 characters"}
stringData: {more: "[hidden], 6 characters"}
`},
		{"a Pod", `
apiVersion: v1
kind: Pod
metadata: {name: a, annotations: {keep: this}}
spec:
  containers:
  - name: one
    env: [{name: TOKEN, value: hunter}, {name: HOME, value: /}, {name: PASSWORD, valueFrom: {secretKeyRef: {name: a, key: b}}}]
`, `
apiVersion: v1
kind: Pod
metadata: {name: a, annotations: {keep: this}}
spec:
  containers:
  - name: one
    env: [{name: TOKEN, value: "[hidden]"}, {name: HOME, value: /}, {name: PASSWORD, valueFrom: {secretKeyRef: {name: a, key: b}}}]
`},
		{"data of another kind", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var object, want map[string]any
			if err := yaml.Unmarshal([]byte(test.object), &object); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			clean(&unstructured.Unstructured{Object: object})
			if diff := cmp.Diff(want, object); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if text, _ := json.Marshal(object); strings.Contains(string(text), "aHVudGVy") || strings.Contains(string(text), "hunter") {
				t.Errorf("object = %s, want no secret value", text)
			}
		})
	}
}

// TestCleanHidesPlantedSecrets plants secrets into objects and records.
func TestCleanHidesPlantedSecrets(t *testing.T) {
	t.Parallel()
	const object = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a","namespace":"b","managedFields":[{"manager":"planted-00"}],
	"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"planted-01"}},"spec":{"dbPassword":"planted-02","template":{"spec":{"containers":[
	{"command":["/manager","run","planted-03"],"args":["--leader-elect","--x","planted-04","--y=planted-05","--metrics-bind-address=:8080"],
	"env":[{"name":"X","value":"planted-06"},{"name":"LOG_LEVEL","value":"debug"},{"name":"DB_PASSWORD","value":"planted-07"}]}]}}}}`
	tree := &unstructured.Unstructured{}
	if err := tree.UnmarshalJSON([]byte(object)); err != nil {
		t.Fatal(err)
	}
	known := clean(tree)
	data, err := tree.MarshalJSON()
	if err != nil || strings.Contains(string(data), "planted") || len(known) != 6 {
		t.Errorf("clean: %v, %d known values, object %s", err, len(known), data)
	}
	for _, kept := range []string{"--leader-elect", ":8080", "debug", "/manager", `"run"`} {
		if !strings.Contains(string(data), kept) {
			t.Errorf("the object lacks %q: %s", kept, data)
		}
	}
}
