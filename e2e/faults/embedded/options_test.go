package embedded

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/state"
)

// TestOptionsThatCannotBe uses options that are incompatible or do not exist.
func TestOptionsThatCannotBe(t *testing.T) {
	s := newSandbox(t)
	s.WantExit(2, nil, []string{"up", "--cluster=embedded", "--provider=podman"}, "--provider=podman", "only a kind cluster")
	s.WantExit(2, nil, []string{"up", "--cluster=embedded", "--jaeger-config=none", "--operator-replicas=2"}, "--operator-replicas=2", "omit --operator-replicas")
	s.WantExit(2, nil, []string{"up", "--cluster=foo"}, "--cluster=foo", "auto, kind, embedded")
	s.wantNoProcess()
	s.up()
	before := s.wantWhole()
	s.WantRefusal(nil, []string{"up", "--cluster=kind"}, "it is embedded, not kind", "take it down first", "--name")
	s.WantExit(2, nil, []string{"logs", "foo"}, `"foo"`, "kube-apiserver")
	if after := s.wantWhole(); len(after) != len(before) {
		t.Errorf("processes %v before the refusal, %v after it", before, after)
	}
}

// TestNoEngine hides every container engine. up chooses an embedded cluster and prints one line
// with the reason.
func TestNoEngine(t *testing.T) {
	s := newSandbox(t, "SANDBOX_CLUSTER=auto", "SANDBOX_PROVIDER=", "PATH="+pathWith(t, nil))
	var why []string
	for line := range strings.Lines(s.up()) {
		if strings.Contains(line, "embedded") {
			why = append(why, line)
		}
	}
	if len(why) != 1 || !strings.Contains(why[0], "kind can't run here") || !strings.Contains(why[0], "not installed") {
		t.Errorf("lines with the reason for embedded, want one:\n%s", strings.Join(why, ""))
	}
}

// TestBrokenEngine uses an engine that cannot start containers.
func TestBrokenEngine(t *testing.T) {
	const script = `case "$1" in run) echo 'unable to apply caps: operation not permitted' >&2; exit 126;; esac; /bin/cat >/dev/null`
	s := newSandbox(t, "SANDBOX_CLUSTER=auto", "SANDBOX_PROVIDER=", "PATH="+pathWith(t, map[string]string{"docker": script}))
	if out := s.up(); !strings.Contains(out, "unable to apply caps") {
		t.Errorf("up does not print why it is embedded:\n%s", out)
	}
}

// pathWith returns a folder for PATH with Go and the given scripts.
func pathWith(t *testing.T, scripts map[string]string) string {
	t.Helper()
	program, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(program, filepath.Join(dir, "go")); err != nil {
		t.Fatal(err)
	}
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestSpacesInHome uses a home folder with spaces in its path, which contains everything, programs
// included.
func TestSpacesInHome(t *testing.T) {
	programs, err := state.CachePath()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(t.TempDir(), "a home  with spaces")
	cache := filepath.Join(home, ".cache", state.Product)
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(programs, "bin"), filepath.Join(cache, "bin")); err != nil {
		t.Fatal(err)
	}
	env := []string{"HOME=" + home, "XDG_CACHE_HOME=" + filepath.Join(home, ".cache"), "XDG_STATE_HOME=", "XDG_CONFIG_HOME="}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} { // Go finds them below the home folder.
		value, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(value)))
	}
	s := sandboxIn(t, filepath.Join(home, ".local", "state", state.Product, "faults"), env...)
	s.DefaultDir = true
	if out := s.up(); strings.Contains(out, " built ") {
		t.Errorf("up compiled programs, though they are in the cache:\n%s", out)
	}
	s.wantTrace("spaces")
	s.up()
	s.down()
}
