package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/cli"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// A component that exists only in this test needs one row: it is in up, status, logs, export, build
// and the flags. Package bundle has a test of its own. The test is not parallel: the table is shared.
func TestOneRowAddsAComponent(t *testing.T) {
	var broken error
	t.Cleanup(component.Add(component.Component{
		Name: "prometheus", Version: "v3.7.3",
		Images:   []string{"quay.io/prometheus/prometheus:v3.7.3"},
		Programs: []component.Program{{Name: "prometheus"}},
		Ports:    []component.Port{{Name: "metrics", Number: 9090, Flag: "prometheus-port", Use: "Prometheus", Scheme: "http"}},
		Clusters: []string{component.Kind, component.Existing},
		Check:    func(context.Context, map[string]string) error { return broken },
	}))
	s, cluster := newFake(t, component.Kind, false)

	if err := graph.Do(t.Context(), nil, plan(s)); err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"fetch prometheus", "deliver prometheus", "start prometheus"} {
		if !slices.Contains(cluster.Calls(), call) {
			t.Errorf("up did not %s: %q", call, cluster.Calls())
		}
	}
	if !slices.ContainsFunc(fetches(s), func(step graph.Step) bool { return step.Name == "fetch prometheus" }) {
		t.Error("build and bundle do not fetch it")
	}

	for _, failure := range []error{nil, errors.New("no metrics")} {
		broken = failure
		status, err := s.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(status.Components, func(c provider.Component) bool { return c.Name == "prometheus" })
		if i < 0 || status.Components[i].Ready != (failure == nil) || (status.State == provider.StateUp) != (failure == nil) {
			t.Errorf("status with the check %v: %+v", failure, status)
		}
	}

	var out bytes.Buffer
	if names, err := s.LogParts("prometheus"); err != nil || len(names) != 1 {
		t.Errorf("LogParts(prometheus) = %q, %v", names, err)
	}
	if err := s.Logs(t.Context(), &out, "prometheus", provider.LogOptions{}); err != nil || out.String() != "log of prometheus\n" {
		t.Errorf("Logs(prometheus) = %q, %v", out.String(), err)
	}

	// An API server without any object.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := map[string]string{"/api": "APIVersions", "/apis": "APIGroupList"}[r.URL.Path]
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"kind":%q,"apiVersion":"v1","groups":[],"versions":[],"items":[]}`, cmp.Or(kind, "List"))
	}))
	defer server.Close()
	cluster.Config = &rest.Config{Host: server.URL}
	dir := filepath.Join(t.TempDir(), "export")
	if _, err := s.Export(t.Context(), dir, export.Usual); err != nil {
		t.Fatal(err)
	}
	if log, err := os.ReadFile(filepath.Join(dir, "logs", "prometheus.log")); err != nil || string(log) != "log of prometheus\n" {
		t.Errorf("the exported log is %q, %v", log, err)
	}

	out.Reset()
	if code := cli.Execute(t.Context(), []string{"up", "--help"}, &out, os.Stderr, cli.Plan{}); code != 0 || !strings.Contains(out.String(), "--prometheus-port") {
		t.Errorf("up --help has no --prometheus-port: code %d", code)
	}
}
