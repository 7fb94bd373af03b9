package main

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/cli"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// A component that exists only in this test needs one row: it is in up, status, logs, export, build,
// the flags and bundles. No program can change the table, so the tests of the row run in programs that
// are compiled with testdata/row.go in package component.
func TestOneRowAddsAComponent(t *testing.T) {
	if component.Named("prometheus").Name == "" {
		runWithRow(t)
		return
	}
	s, cluster := newFake(t, component.Kind, false)

	if err := lifecycle.Do(t.Context(), nil, plan(s)); err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"fetch prometheus", "deliver prometheus", "start prometheus"} {
		if !slices.Contains(cluster.Calls(), call) {
			t.Errorf("up did not %s: %q", call, cluster.Calls())
		}
	}
	if !slices.ContainsFunc(fetches(s), func(step lifecycle.Step) bool { return step.Name == "fetch prometheus" }) {
		t.Error("build and bundle do not fetch it")
	}

	for _, failure := range []string{"", "no metrics"} {
		t.Setenv("BROKEN_METRICS", failure)
		status, err := s.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(status.Components, func(c provider.Component) bool { return c.Name == "prometheus" })
		if i < 0 || status.Components[i].Ready != (failure == "") || (status.State == provider.StateUp) != (failure == "") {
			t.Errorf("status with the check %q: %+v", failure, status)
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

// runWithRow runs the tests of the row, also the one of package bundle.
func runWithRow(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	files := fmt.Sprintf(`{"Replace": {%q: %q}}`, filepath.Join(root, "sandbox/component/row.go"), filepath.Join(root, "sandbox/testdata/row.go"))
	if err := os.WriteFile(overlay, []byte(files), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []string{"TestOneRowAddsAComponent", "TestBundleHasAComponentOfTheTable"}
	command := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-overlay="+overlay, "-v", "-run=^("+strings.Join(tests, "|")+")$", ".", "./bundle")
	command.Env = append(command.Environ(), "CGO_ENABLED=0") // The race detector would compile everything once more.
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, test := range tests {
		if !bytes.Contains(out, []byte("--- PASS: "+test)) {
			t.Errorf("%s did not run: %s", test, out)
		}
	}
}
