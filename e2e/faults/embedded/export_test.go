package embedded

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/export/redact"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// TestExport exports a healthy sandbox, one with a dead API server, and one that is down. Each
// export has the available data, and no key, token or password.
func TestExport(t *testing.T) {
	s := newSandbox(t)
	const password = "authorization=Bearer%20squeamish-ossifrage"
	if out, err := s.Run(t.Context(), upLimit, "up", "--operator-env=OTEL_EXPORTER_OTLP_HEADERS="+password); err != nil {
		t.Fatalf("up: %v\n%s", err, out)
	}
	always := map[string]string{
		"versions.txt": "github.com/operator-tracing/sandbox", "state.json": `"embedded"`, "doctor.json": `"check": "memory"`,
		"options.json": `"Name": "faults"`, "logs/etcd.log": "{", "logs/operator.log": "{", "logs/observer.log": "observing ", "run/operator.json": "KUBECONFIG=",
	}
	whole := with(always, map[string]string{
		"status.json": `"state": "up"`, "events.txt": "Deployment default/head-sample", "traces/sample.json": "resourceSpans",
		"objects/heads.dummy.example.com.yaml": "name: head-sample", "objects/secrets.yaml": redact.Hidden, "objects/pods.yaml": "kind: Pod",
	})
	dir := s.WantExport(whole)
	s.WantNoSecrets(dir, "squeamish-ossifrage")
	if missing, err := os.ReadFile(filepath.Join(dir, export.IncompleteFile)); err == nil {
		t.Errorf("the export of a healthy sandbox is incomplete:\n%s", missing)
	}
	if out, err := s.Run(t.Context(), upLimit, "trace", "import", filepath.Join(dir, "traces", "sample.json")); err != nil {
		t.Errorf("the trace can't be read again: %v\n%s", err, out)
	}
	s.WantRefusal(nil, []string{"export", dir}, dir, "not empty")

	s.kill(s.wantWhole()[component.APIServer])
	dead := with(always, map[string]string{"status.json": "API server", export.IncompleteFile: "objects: "})
	s.WantExport(dead)
	if status, code := s.Status(); code != 1 || status.State != provider.StateDegraded || status.Components[0].Ready || !status.Components[3].Ready && status.Components[3].Message == "" {
		t.Errorf("status: exit code %d, %+v", code, status)
	}
	s.down()
	s.WantExport(map[string]string{"status.json": `"down"`, "doctor.json": `"modes"`})
}

func with(some, more map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{some, more} {
		for name, word := range m {
			all[name] = word
		}
	}
	return all
}

// TestFailedStepKeepsDiagnostics makes a step of up fail four times. Each failure prints where its
// diagnostics are, three are kept, and the next up works.
func TestFailedStepKeepsDiagnostics(t *testing.T) {
	s := newSandbox(t)
	for range 4 {
		start := time.Now()
		out, err := s.Run(t.Context(), upLimit, "up", "--operator-env=OPERATOR_LOG_LEVEL=carrier-pigeon", "--operator-env=API_TOKEN=squeamish-ossifrage")
		if err == nil {
			t.Fatalf("an operator with an invalid log level started:\n%s", out)
		}
		dir := s.WantDiagnostics(out, map[string]string{
			"status.json": `"degraded"`, "logs/operator.log": "carrier-pigeon", "doctor.json": `"check": "memory"`, "options.json": "OPERATOR_LOG_LEVEL",
			"objects/customresourcedefinitions.apiextensions.k8s.io.yaml": "heads",
		})
		s.WantNoSecrets(dir, "squeamish-ossifrage")
		t.Logf("up failed after %s", time.Since(start).Round(100*time.Millisecond))
	}
	kept, err := os.ReadDir(filepath.Join(s.Dir, "diagnostics"))
	if err != nil || len(kept) != 3 {
		t.Errorf("%d diagnostics are kept, %v", len(kept), err)
	}
	s.up()
}

// TestLogs reads and follows the log of a process that is replaced.
func TestLogs(t *testing.T) {
	s := newSandbox(t)
	s.up()
	s.WantRefusal(nil, []string{"logs", "operator", "--previous"}, "no previous process")
	s.WantExit(2, nil, []string{"logs", "operatr"}, "did you mean operator?")
	s.WantExit(2, nil, []string{"logs", "operator", "--since=5m"}, "--tail")
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit+upLimit)
	defer cancel()
	other := *s.Sandbox // The command line must not name the folder, because the test treats such processes as the sandbox's.
	other.DefaultDir, other.Env = true, append(other.Env, "SANDBOX_STATE_DIR="+s.Dir)
	followed := other.Command(ctx, "logs", "operator", "-f", "--tail=0")
	out, err := followed.StdoutPipe()
	if err == nil {
		err = followed.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.kill(s.wantWhole()[component.Operator])
	s.up()
	found := false
	for lines := bufio.NewScanner(out); !found && lines.Scan(); {
		found = strings.Contains(lines.Text(), "Starting workers")
	}
	if !found {
		t.Error("the log of the new operator was not followed")
	}
	if err := followed.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if _, err := rig.End(followed, out); err != nil {
		t.Errorf("logs -f = %v", err)
	}
	previous, err := s.Run(t.Context(), upLimit, "logs", "operator", "--previous", "--tail=-1")
	if err != nil || !strings.Contains(previous, "Starting workers") {
		t.Errorf("%v\n%s", err, previous)
	}
}
