package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// objectsAPI serves Heads in two namespaces, a Pod, and discovery.
func objectsAPI() http.Handler {
	resource := func(name, kind string) map[string]any {
		return map[string]any{"name": name, "singularName": strings.ToLower(kind), "kind": kind, "namespaced": true, "verbs": []string{"list"}}
	}
	items := func(names ...string) []any {
		var items []any
		for _, name := range names {
			namespace, name, _ := strings.Cut(name, "/")
			items = append(items, map[string]any{"metadata": map[string]any{"name": name, "namespace": namespace}})
		}
		return items
	}
	answers := map[string]map[string]any{
		"/api": {"kind": "APIVersions", "versions": []string{"v1"}},
		"/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []any{map[string]any{
			"name": "dummy.example.com", "versions": []any{map[string]any{"groupVersion": "dummy.example.com/v1alpha1", "version": "v1alpha1"}},
			"preferredVersion": map[string]any{"groupVersion": "dummy.example.com/v1alpha1", "version": "v1alpha1"},
		}}},
		"/api/v1":                                {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": []any{resource("pods", "Pod"), map[string]any{"name": "namespaces", "kind": "Namespace", "verbs": []string{"list"}}}},
		"/apis/dummy.example.com/v1alpha1":       {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "dummy.example.com/v1alpha1", "resources": []any{resource("heads", "Head")}},
		"/apis/dummy.example.com/v1alpha1/heads": {"items": items("default/head-sample", "default/web", "team-a/other")},
		"/apis/dummy.example.com/v1alpha1/namespaces/default/heads": {"items": items("default/head-sample", "default/web")},
		"/apis/dummy.example.com/v1alpha1/namespaces/team-a/heads":  {"items": items("team-a/other")},
		"/api/v1/namespaces":              {"items": items("/default", "/team-a")},
		"/api/v1/namespaces/default/pods": {"items": items("default/web-1")},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, found := answers[r.URL.Path]
		if answer["items"] != nil {
			answer["kind"], answer["apiVersion"], answer["metadata"] = "PartialObjectMetadataList", "meta.k8s.io/v1", map[string]any{}
		}
		w.Header().Set("Content-Type", "application/json")
		if !found {
			w.WriteHeader(http.StatusNotFound)
		}
		_ = json.NewEncoder(w).Encode(answer) // A client that left needs no answer.
	})
}

// completions returns the candidates of a command line, without their descriptions, and the directive.
func completions(t *testing.T, folder string, args ...string) (candidates []string, directive string) {
	t.Helper()
	got := execute(t, append([]string{"__complete", "--state-dir=" + folder}, args...)...)
	if got.code != exitOK || strings.Contains(got.stderr, "Error") {
		t.Errorf("%q: exit code %d, %s", args, got.code, got.stderr)
	}
	for line := range strings.Lines(got.stdout) {
		name, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(name, ":") {
			return candidates, name
		}
		candidates = append(candidates, name)
	}
	return candidates, ""
}

// folderOf returns the folder of a sandbox whose API server has an address.
func folderOf(t *testing.T, address string) string {
	t.Helper()
	dir, err := state.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Save(state.Record{Name: "a", Cluster: component.Embedded, NotObserved: true}); err != nil {
		t.Fatal(err)
	}
	config := `{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a}], clusters: [{name: a, cluster: {server: "` + address + `"}}]}`
	if err := os.WriteFile(dir.Kubeconfig(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir.Path
}

func TestCompletion(t *testing.T) {
	server := httptest.NewServer(objectsAPI())
	defer server.Close()
	folder := folderOf(t, server.URL)
	const noFiles, noSpace, files = ":4", ":6", ":0"
	for _, test := range []struct {
		line      string
		want      []string
		directive string
	}{
		{"trace ", []string{"diff", "import", "head-sample", "web", "team-a/other"}, noFiles},
		{"trace he", []string{"head-sample", "head/"}, noFiles},
		{"trace po", []string{"pod/"}, noSpace},
		{"trace po/", nil, noFiles},
		{"trace pod/", []string{"pod/web-1"}, noFiles},
		{"trace team-a/", []string{"team-a/other"}, noFiles},
		{"trace -n team-a ", []string{"other"}, noFiles},
		{"trace -n team-a head/", []string{"head/other"}, noFiles},
		{"trace -n t", []string{"team-a"}, noFiles},
		{"trace web ", nil, noFiles},
		{"trace --id ", nil, noFiles}, // Jaeger does not run.
		{"trace diff web te", []string{"team-a/other"}, files},
		{"observe h", []string{"head/"}, noSpace},
		{"observe head/w", []string{"head/web"}, noFiles},
		{"observe --context=mine h", nil, noFiles},
		{"logs kube-a", []string{"kube-apiserver"}, noFiles},
		{"logs cert-manager-w", []string{"cert-manager-webhook"}, noFiles},
		{"logs operator ", nil, noFiles},
		{"stop ja", []string{"jaeger"}, noFiles},
	} {
		got, directive := completions(t, folder, strings.Split(test.line, " ")...)
		if diff := cmp.Diff(test.want, got); diff != "" || directive != test.directive {
			t.Errorf("%q: directive %s, want %s (-want +got):\n%s", test.line, directive, test.directive, diff)
		}
	}
}

// Without a sandbox, and if its API server hangs or refuses, there are no candidates and no messages.
func TestCompletionOfABrokenSandbox(t *testing.T) {
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hanging.Close()
	defer hanging.CloseClientConnections()
	for name, folder := range map[string]string{
		"down": filepath.Join(t.TempDir(), "state"), "refusing": folderOf(t, "http://127.0.0.1:1"), "hanging": folderOf(t, hanging.URL),
	} {
		for _, line := range []string{"trace h", "trace head/", "trace --id a", "trace -n a", "observe h"} {
			if got, _ := completions(t, folder, strings.Split(line, " ")...); len(got) > 0 {
				t.Errorf("%s, %q: %q, want nothing", name, line, got)
			}
		}
	}
}
