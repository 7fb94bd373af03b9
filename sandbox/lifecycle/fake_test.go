package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/reset"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// fakeCluster records its calls. The error of a call is the one in fail under its name.
type fakeCluster struct {
	config  *rest.Config
	scope   provider.Scope
	fail    map[string]error
	calls   []string
	reached bool
}

var _ provider.Cluster = (*fakeCluster)(nil)

func (c *fakeCluster) call(format string, args ...any) error {
	name := fmt.Sprintf(format, args...)
	c.calls = append(c.calls, name)
	return c.fail[name]
}

func (c *fakeCluster) Prepare(context.Context, report) error { return c.call("prepare") }

func (c *fakeCluster) Fetch(_ context.Context, part component.Component, _ report) error {
	return c.call("fetch %s", part.Name)
}

func (c *fakeCluster) Deliver(_ context.Context, part component.Component, _ report) error {
	return c.call("deliver %s", part.Name)
}

func (c *fakeCluster) Start(_ context.Context, part component.Component, _ report) error {
	return c.call("start %s", part.Name)
}

func (c *fakeCluster) Status(_ context.Context, s *provider.Status) error {
	s.Components = []provider.Component{{Name: component.Operator, Ready: true}}
	s.State = provider.StateUp
	return c.call("status")
}

func (c *fakeCluster) Logs(_ context.Context, out io.Writer, name string, o provider.LogOptions) error {
	if _, err := fmt.Fprintf(out, "log of %s\n", name); err != nil {
		return err
	}
	return c.call("logs %s %t", name, o.Previous)
}

func (c *fakeCluster) Down(context.Context, report) error { return c.call("down") }

func (c *fakeCluster) RESTConfig() (*rest.Config, error) {
	if c.config == nil {
		return nil, errors.New("no API server")
	}
	return c.config, nil
}

func (c *fakeCluster) Alive(context.Context) error {
	_, err := c.RESTConfig()
	return err
}

func (c *fakeCluster) Reach(context.Context) error {
	c.reached = true
	return c.call("reach")
}

func (c *fakeCluster) Addresses() provider.Addresses {
	if !c.reached {
		return nil
	}
	return provider.Addresses{component.UI: "http://127.0.0.1:1"}
}

func (c *fakeCluster) Close() {
	c.reached = false
	c.calls = append(c.calls, "close")
}

// fakeShared is a cluster of the user.
type fakeShared struct{ fakeCluster }

var _ provider.Consenting = (*fakeShared)(nil)

func (c *fakeShared) Changes() []string                             { return []string{"operator"} }
func (c *fakeShared) Where() string                                 { return "context mine" }
func (c *fakeShared) Scope(context.Context) (provider.Scope, error) { return c.scope, c.call("scope") }
func (c *fakeShared) Losses(context.Context) ([]string, error) {
	return []string{"Head team/web"}, c.call("losses")
}

// fakeProcesses is a cluster of processes, with a description of its node.
type fakeProcesses struct{ fakeCluster }

var (
	_ provider.Stopper   = (*fakeProcesses)(nil)
	_ provider.Describer = (*fakeProcesses)(nil)
)

func (c *fakeProcesses) Stop(_ context.Context, name string) error { return c.call("stop %s", name) }

func (c *fakeProcesses) Descriptions() []export.Part {
	return []export.Part{{Name: "node.txt", Get: func(_ context.Context, out io.Writer) error {
		_, err := io.WriteString(out, "a node\n")
		return err
	}}}
}

// fakeResetter can be reset. Its components are ready unless broken.
type fakeResetter struct {
	fakeShared
	broken bool
}

var _ provider.Resetter = (*fakeResetter)(nil)

func (c *fakeResetter) Alive(context.Context) error          { return c.call("alive") }
func (c *fakeResetter) KeepResetPoint(context.Context) error { return c.call("keep") }
func (c *fakeResetter) Added(context.Context) ([]string, error) {
	return []string{"Head a/b"}, c.call("added")
}
func (c *fakeResetter) Reset(context.Context, report) (reset.Outcome, error) {
	return reset.Outcome{Deleted: []string{"Head a/b"}}, c.call("reset")
}

func (c *fakeResetter) Status(_ context.Context, s *provider.Status) error {
	s.Components = []provider.Component{{Name: component.Operator, Ready: !c.broken}, {Name: component.Sample}}
	return nil
}

// newSandbox returns a sandbox with a record, whose clusters are used in turn by Attach. The last one stays.
func newSandbox(t *testing.T, record state.Record, clusters ...provider.Cluster) *Sandbox {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "state")
	dir, err := state.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if record.Name != "" {
		if err := dir.Save(record); err != nil {
			t.Fatal(err)
		}
	}
	s := &session.Session{Options: session.Options{Name: "a", StateDir: folder}, Record: record, Dir: dir}
	sandbox := New(s, map[string]Factory{record.Cluster: {Attach: func(s *session.Session) (provider.Cluster, error) {
		cluster := clusters[0]
		if len(clusters) > 1 {
			clusters = clusters[1:]
		}
		s.Connect(cluster.RESTConfig, false)
		return cluster, nil
	}}})
	return sandbox
}

// quiet is a sandbox without an observer, which is up.
func quiet(kind string) state.Record {
	return state.Record{Name: "a", Cluster: kind, NotObserved: true}
}

func noReport(string, ...any) {}

// api serves the lists of some paths, and discovery of the core group.
func api(t *testing.T, lists map[string][]any) *rest.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer map[string]any
		switch items, found := lists[r.URL.Path]; {
		case r.URL.Path == "/api":
			answer = map[string]any{"kind": "APIVersions", "versions": []string{"v1"}}
		case r.URL.Path == "/apis":
			answer = map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": []any{}}
		case r.URL.Path == "/api/v1":
			var resources []any
			for kind, name := range map[string]string{"Event": "events", "Secret": "secrets", "ConfigMap": "configmaps"} {
				resources = append(resources, map[string]any{"name": name, "kind": kind, "namespaced": true, "verbs": []string{"list", "get"}})
			}
			answer = map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": resources}
		case found && items == nil:
			w.WriteHeader(http.StatusForbidden)
			answer = map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "forbidden: " + r.URL.Path}
		default:
			kind := map[string]string{"events": "EventList", "secrets": "SecretList", "configmaps": "ConfigMapList"}[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
			answer = map[string]any{"kind": kind, "apiVersion": "v1", "items": append([]any{}, items...)}
			if kind == "" {
				answer["kind"] = "List"
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // A client that left needs no answer.
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}
