package existing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// server is an API server with a UID and nodes of some architectures. Other lists are empty.
func server(t *testing.T, uid string, architectures ...string) *httptest.Server {
	t.Helper()
	var nodes []any
	for i, arch := range architectures {
		nodes = append(nodes, map[string]any{
			"metadata": map[string]any{"name": fmt.Sprintf("node-%d", i)}, "status": map[string]any{"nodeInfo": map[string]any{"architecture": arch}},
		})
	}
	resources := []any{
		map[string]any{"name": "nodes", "kind": "Node", "verbs": []string{"list"}},
		map[string]any{"name": "namespaces", "kind": "Namespace", "verbs": []string{"get"}},
	}
	apps := map[string]any{"groupVersion": "apps/v1", "version": "v1"}
	answers := map[string]any{
		"/api":                           map[string]any{"kind": "APIVersions", "versions": []string{"v1"}},
		"/apis":                          map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": []any{map[string]any{"name": "apps", "versions": []any{apps}, "preferredVersion": apps}}},
		"/apis/apps":                     map[string]any{"kind": "APIGroup", "apiVersion": "v1", "name": "apps", "versions": []any{apps}, "preferredVersion": apps},
		"/api/v1":                        map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": resources},
		"/apis/apps/v1":                  map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "apps/v1", "resources": []any{map[string]any{"name": "deployments", "kind": "Deployment", "namespaced": true, "verbs": []string{"list"}}}},
		"/api/v1/namespaces/kube-system": map[string]any{"kind": "Namespace", "apiVersion": "v1", "metadata": map[string]any{"name": "kube-system", "uid": uid}},
		"/api/v1/nodes":                  map[string]any{"kind": "NodeList", "apiVersion": "v1", "items": append([]any{}, nodes...)},
		"/apis/apps/v1/deployments":      map[string]any{"kind": "DeploymentList", "apiVersion": "apps/v1", "items": []any{}},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer, found := answers[r.URL.Path]
		if !found {
			w.WriteHeader(http.StatusNotFound)
			answer = map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
		}
		_ = json.NewEncoder(w).Encode(answer) // A client that left needs no answer.
	}))
	t.Cleanup(s.Close)
	return s
}

// kubeconfig writes a kubeconfig with one context.
func kubeconfig(t *testing.T, path, context, server string) string {
	t.Helper()
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: %[1]s, clusters: [{name: c, cluster: {server: %[2]q}}],
 users: [{name: u, user: {}}], contexts: [{name: %[1]s, context: {cluster: c, user: u}}]}`, context, server)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// origin is a source of images that has none.
type origin string

func (o origin) Origin() string { return string(o) }

func (o origin) Images(context.Context, string, artifact.Report) ([]artifact.Image, error) {
	return nil, errors.New("no images")
}

// connected returns a session whose copy of the kubeconfig leads to a server.
func connected(t *testing.T, options session.Options, record state.Record, url string) *session.Session {
	t.Helper()
	options.Name = cmp.Or(options.Name, "a")
	s := &session.Session{
		Options: options, Record: record, Dir: state.Dir{Path: t.TempDir()},
		Builder: &build.Builder{Cache: t.TempDir()}, ImageSource: origin("source"),
	}
	if err := s.UseProject(); err != nil {
		t.Fatal(err)
	}
	kubeconfig(t, s.Dir.Kubeconfig(), cmp.Or(record.Target.Context, "mine"), url)
	return s
}

func noReport(string, ...any) {}

// A cluster that the sandbox cannot use is refused before anything is changed in it.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	up := func(uid string) state.Record {
		return state.Record{Name: "a", Cluster: component.Existing, Target: state.Target{Context: "mine", UID: uid}}
	}
	for name, test := range map[string]struct {
		options session.Options
		record  state.Record
		url     string
		nodes   []string
		want    string
		usage   bool
	}{
		"no answer":         {session.Options{Context: "mine"}, state.Record{}, closed.URL, nil, "asking the cluster of context mine: ", false},
		"another cluster":   {session.Options{Context: "mine"}, up("other"), "", []string{"amd64"}, "the context mine leads to another cluster than when the sandbox a was made", false},
		"two architectures": {session.Options{Context: "mine"}, state.Record{}, "", []string{"amd64", "arm64"}, "nodes of the architectures amd64 and arm64: images are made for one", false},
		"no way for images": {session.Options{Context: "mine"}, state.Record{}, "", []string{"amd64"}, "--context=mine: the cluster can't be given images: name a registry", true},
		"an invalid folder": {session.Options{Context: "mine", Registry: "word"}, state.Record{}, "", []string{"amd64"}, `invalid registry "word"`, false},
		"a Jaeger of yours": {session.Options{Context: "mine", JaegerEndpoint: "j:4317"}, up("uid"), "", []string{"amd64"}, "the sandbox a has a Jaeger of its own; run `sandbox down` first", true},
		"only a query":      {session.Options{Context: "mine", JaegerQuery: "http://j"}, state.Record{}, "", []string{"amd64"}, "add --jaeger-endpoint", true},
		"another context":   {session.Options{Context: "yours"}, up("uid"), "", nil, "the sandbox a is on the context mine: take it down first (`sandbox down`)", false},
		"no such context":   {session.Options{Context: "mien"}, state.Record{}, "", nil, "did you mean mine?", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := test.url
			if url == "" {
				url = server(t, "uid", test.nodes...).URL
			}
			s := connected(t, test.options, test.record, url)
			s.Kubeconfig = kubeconfig(t, filepath.Join(t.TempDir(), "config"), "mine", url)
			_, err := New(t.Context(), s, noReport)
			var mistake *settings.Error
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.As(err, &mistake) != test.usage {
				t.Errorf("New() = %v, want %q, usage error %t", err, test.want, test.usage)
			}
			if s.Record.Name != test.record.Name {
				t.Errorf("the record is %+v, want it unchanged", s.Record)
			}
		})
	}
}

// The way for images depends on the options, on what an earlier up chose, and on the images.
func TestChooseDelivery(t *testing.T) {
	t.Parallel()
	recorded := state.Record{Name: "a", Target: state.Target{Registry: "old.example/team"}}
	for name, test := range map[string]struct {
		registry string
		record   state.Record
		origin   origin
		built    bool
		want     string
	}{
		"a registry":           {"r.example/team", state.Record{}, "source", true, "pushed to r.example/team"},
		"as recorded":          {"", recorded, "source", true, "pushed to old.example/team"},
		"another than before":  {"r.example/team", recorded, "source", true, "pushed to r.example/team"},
		"public images":        {"", state.Record{}, "registry", false, "pulled by it from the public registries"},
		"an operator to build": {"", state.Record{}, "registry", true, ""},
		"images from source":   {"", state.Record{}, "source", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connected(t, session.Options{Registry: test.registry}, test.record, server(t, "uid", "arm64").URL)
			s.ImageSource = test.origin
			if !test.built {
				s.Project.File.Operator.Build, s.Project.File.Operator.Image = nil, "example.com/op:v1"
			}
			c := Attach(s)
			err := c.chooseDelivery(t.Context(), noReport)
			if (err == nil) != (test.want != "") || err == nil && c.describeDelivery() != test.want {
				t.Errorf("chooseDelivery() = %v, images %s; want %q", err, c.describeDelivery(), test.want)
			}
			if s.Builder.Arch != "arm64" {
				t.Errorf("images are for %q, want the architecture of the nodes", s.Builder.Arch)
			}
			if test.registry != "" && c.wanted.Registry != test.registry {
				t.Errorf("the registry on record will be %q", c.wanted.Registry)
			}
		})
	}
}

// Without the user's kubeconfig, a sandbox that is up uses its own copy.
func TestContextThatIsGone(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	record := state.Record{Name: "a", Target: state.Target{Context: "mine"}}
	c := Attach(connected(t, session.Options{}, record, "https://127.0.0.1:1"))
	if source, err := c.findContext(); source != nil || err != nil {
		t.Errorf("findContext() = %v, %v; want the sandbox's copy", source, err)
	}
	if err := os.Remove(c.session.Dir.Kubeconfig()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.findContext(); !errors.Is(err, ErrNoContext) {
		t.Errorf("findContext() without a copy = %v, want %v", err, ErrNoContext)
	}
}

// Every command makes sure that the context still leads to the cluster of the sandbox.
func TestAnotherClusterLater(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, test := range map[string]struct{ url, want string }{
		"no answer":       {closed.URL, "the cluster of context mine does not answer: "},
		"another cluster": {server(t, "other").URL, "the context mine leads to another cluster than when the sandbox a was made"},
	} {
		record := state.Record{Name: "a", Cluster: component.Existing, Target: state.Target{Context: "mine", UID: "uid"}}
		c := Attach(connected(t, session.Options{}, record, test.url))
		status := provider.Status{State: provider.StateDown}
		if err := c.Status(t.Context(), &status); err != nil || status.State != provider.StateDown || !strings.HasPrefix(status.Message, test.want) {
			t.Errorf("%s: Status() = %+v, %v; want %q", name, status, err, test.want)
		}
		if err := c.Alive(t.Context()); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: Alive() = %v, want %q", name, err, test.want)
		}
		if _, err := c.Losses(t.Context()); err == nil {
			t.Errorf("%s: Losses() returned no error", name)
		}
		if err := c.Down(t.Context(), noReport); err == nil || !strings.Contains(err.Error(), "if the cluster is gone, remove the folder "+c.session.Dir.Path) && !strings.Contains(err.Error(), "if that cluster is gone") {
			t.Errorf("%s: Down() = %v, want an error with a remedy", name, err)
		}
	}
}

// Prepare writes the record before anything is changed in the cluster, so that a Down finds it.
func TestPrepare(t *testing.T) {
	t.Parallel()
	s := connected(t, session.Options{}, state.Record{}, "https://127.0.0.1:1")
	c := Attach(s)
	c.wanted = state.Target{Context: "mine", UID: "uid"}
	if err := c.Prepare(t.Context(), noReport); err != nil {
		t.Fatal(err)
	}
	saved, err := s.Dir.Load()
	if err != nil || saved.Name != "a" || saved.Cluster != component.Existing || saved.Target.UID != "uid" {
		t.Errorf("the saved record is %+v, %v", saved, err)
	}
	if s.Record.Images != "source" {
		t.Errorf("images from %q, want source", s.Record.Images)
	}
}

// A port forward without a Pod of Jaeger ends with an error, and leaves no addresses.
func TestReachWithoutAPod(t *testing.T) {
	t.Parallel()
	c := Attach(connected(t, session.Options{}, state.Record{Name: "a", Target: state.Target{Context: "mine"}}, server(t, "uid").URL))
	for range 2 {
		if err := c.Reach(t.Context()); !errors.Is(err, tracetree.ErrUnreachable) {
			t.Errorf("Reach() = %v, want %v", err, tracetree.ErrUnreachable)
		}
		if len(c.Addresses()) > 0 {
			t.Errorf("Addresses() = %v, want none", c.Addresses())
		}
		c.Close()
	}
	if telemetry, err := c.telemetry(); err != nil || telemetry.Host != jaegerService {
		t.Errorf("telemetry() = %+v, %v; want the sandbox's Jaeger", telemetry, err)
	}
}

// object returns an object of a kind.
func object(kind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// The user agrees to what matters to the owner of a cluster: it is named, and the rest is counted.
func TestDescribeFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		found apply.Found
		want  []string
	}{
		"one object": {
			apply.Found{Missing: []*unstructured.Unstructured{object("Head", "team", "web")}}, []string{"Head team/web"},
		},
		"a namespace": {
			apply.Found{Missing: []*unstructured.Unstructured{object("Namespace", "", "jaeger"), object("Deployment", "jaeger", "jaeger"), object("Service", "jaeger", "jaeger")}},
			[]string{"namespace jaeger", "2 more objects"},
		},
		"a namespace of others": {
			apply.Found{
				Kept:    []*unstructured.Unstructured{object("Namespace", "", "team")},
				Missing: []*unstructured.Unstructured{object("Deployment", "team", "a"), object("Service", "team", "a")},
			},
			[]string{"the namespace team is there already and is used", "2 more objects"},
		},
		"kinds, roles and webhooks": {
			apply.Found{Missing: []*unstructured.Unstructured{
				object("CustomResourceDefinition", "", "a.example.com"), object("CustomResourceDefinition", "", "b.example.com"),
				object("ClusterRole", "", "x"), object("ClusterRole", "", "y"), object("ClusterRole", "", "z"),
				object("MutatingWebhookConfiguration", "", "m"), object("ValidatingWebhookConfiguration", "", "v"),
			}},
			[]string{"kinds a.example.com, b.example.com", "mutating webhook configuration m", "validating webhook configuration v", "3 cluster roles"},
		},
		"one role": {
			apply.Found{Missing: []*unstructured.Unstructured{object("ClusterRole", "", "x"), object("Secret", "team", "s")}}, []string{"cluster role x", "1 more objects"},
		},
		"nothing": {apply.Found{}, nil},
	} {
		if got := describeFound(test.found); !slices.Equal(got, test.want) {
			t.Errorf("%s: describeFound() = %q, want %q", name, got, test.want)
		}
	}
}
