package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// fakeEmbedded returns a sandbox that writes a diary of up. Its Jaeger is a process of the test. If
// a file named broken exists, up and export fail.
func fakeEmbedded(t *testing.T) (c *Cluster, folder string, diary func() string) {
	t.Helper()
	jaeger := exec.CommandContext(t.Context(), "sleep", "600")
	if err := jaeger.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = jaeger.Wait() // Until then the process would seem to run.
		close(ended)
	}()
	t.Cleanup(func() { <-ended }) // The cancellation of the test's context ends it.
	folder = t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	for name, text := range map[string]string{
		"operator.log": "one\n" + exportFailure + ": first\ntwo\n  " + exportFailure + ": second\n",
		"jaeger.log":   "spans\n",
		"pid":          fmt.Sprint(jaeger.Process.Pid),
		"sandbox": `#!/bin/sh
cd "$(dirname "$0")"
if [ "$1" = export ]; then
  [ ! -e broken ] || { echo "no room" >&2; exit 1; }
  mkdir -p "$2" && echo all >"$2/exported"
  exit
fi
if [ "$1" = logs ]; then
  cat "$2.log"
  exit
fi
if [ "$1" = up ]; then
  echo "$*" >>diary
  [ ! -e broken ] || { echo "no room" >&2; exit 1; }
  exit 0
fi
pid=$(cat pid)
kill -0 $pid 2>/dev/null || pid=0
echo '{"state":"up","components":[{"processes":[{"name":"jaeger","pid":'$pid'}]},
  {"name":"sample"},{"processes":[{"name":"operator","pid":1}]}]}'
`} {
		if err := os.WriteFile(in(name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c = &Cluster{
		program: &program{path: in("sandbox"), root: folder}, artifacts: filepath.Join(folder, "artifacts"), Status: Status{Cluster: clusterEmbedded},
	}
	return c, folder, func() string {
		data, _ := os.ReadFile(in("diary"))
		return strings.ReplaceAll(strings.TrimSpace(string(data)), "\n", ", ")
	}
}

func TestStopJaegerProcess(t *testing.T) {
	c, _, _ := fakeEmbedded(t)
	before, err := c.find(t.Context(), component.Jaeger)
	if err != nil || before.PID == 0 {
		t.Fatalf("find(jaeger) = %+v, %v", before, err)
	}
	for range 2 { // The second call has nothing to do.
		if err := c.StopJaeger(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now, err := c.find(t.Context(), component.Jaeger); err != nil || now.PID != 0 {
			t.Errorf("find(jaeger) after the stop = %+v, %v", now, err)
		}
	}
	if _, err := c.find(t.Context(), "nothing"); err == nil {
		t.Error("found a process that is not in the status")
	}
}

func TestOperatorEnv(t *testing.T) {
	c, folder, diary := fakeEmbedded(t)
	c.given = map[string]string{"USERS": "1"}
	for want, env := range map[string]map[string]string{
		"up --operator-env=A=jaeger --operator-env=B=x=y --operator-env=USERS=1": {"A": "jaeger", "B": "x=y"}, "up --operator-env=USERS=1": nil,
	} {
		// A restarted operator has the same variables.
		for what, do := range map[string]func() error{
			"setting": func() error { return c.setOperatorEnv(t.Context(), env) },
			"starting": func() error {
				return errors.Join(c.setOperatorEnv(t.Context(), env), os.Remove(filepath.Join(folder, "diary")), c.up(t.Context()))
			},
		} {
			if err := do(); err != nil || diary() != want {
				t.Errorf("%s: %v, diary = %q, want %q", what, err, diary(), want)
			}
			if err := os.Remove(filepath.Join(folder, "diary")); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The status of the fake names no variables. An operator without variables is not changed.
	c.given = nil
	if err := c.setOperatorEnv(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "diary")); err == nil {
		t.Errorf("diary without a change = %q, want an empty one", diary())
	}
	c.given = map[string]string{"USERS": "1"}
	if err := os.WriteFile(filepath.Join(folder, "broken"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.setOperatorEnv(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("error = %v, want the output of up", err)
	}
}

func TestLogs(t *testing.T) {
	c, folder, _ := fakeEmbedded(t)
	failures, err := c.ExportFailures(t.Context())
	if want := []string{exportFailure + ": first", exportFailure + ": second"}; err != nil || fmt.Sprint(failures) != fmt.Sprint(want) {
		t.Errorf("failures = %q, %v, want %q", failures, err, want)
	}
	kept := map[string]string{}
	(&Fixture{Cluster: c}).keepLogs(t.Context(), func(name string, data []byte, err error) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		kept[name] = string(data)
	})
	if len(kept) != 2 || kept["log-jaeger.txt"] != "spans\n" || !strings.HasPrefix(kept["log-operator.txt"], "one\n") {
		t.Errorf("logs = %q", kept)
	}
	if err := c.export(t.Context()); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(filepath.Join(folder, "artifacts", "embedded", "exported")); err != nil || string(data) != "all\n" {
		t.Errorf("the sandbox exported %q, %v", data, err)
	}
	if err := os.WriteFile(filepath.Join(folder, "broken"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.export(t.Context()); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("error = %v, want the output of export", err)
	}
}
