package faults

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// TestPortTaken requests a port that this test uses.
func TestPortTaken(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	newSandbox(t).WantRefusal(nil, []string{"up", "--jaeger-ui-port=" + port}, "port "+port, "in use by", strconv.Itoa(os.Getpid()))
}

// TestNoEngine hides every engine, and uses engines that cannot start containers.
func TestNoEngine(t *testing.T) {
	goProgram, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	withGo := func(t *testing.T, engines map[string]string) []string {
		dir := t.TempDir()
		if err := os.Symlink(goProgram, filepath.Join(dir, "go")); err != nil {
			t.Fatal(err)
		}
		for engine, script := range engines {
			if err := os.WriteFile(filepath.Join(dir, engine), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return []string{"PATH=" + dir, "SANDBOX_PROVIDER="}
	}
	t.Run("none", func(t *testing.T) {
		newSandbox(t).WantRefusal(withGo(t, nil), []string{"up"}, "not installed", "Docker or podman")
	})
	t.Run("not running", func(t *testing.T) {
		env := withGo(t, map[string]string{"docker": "echo 'Cannot connect to the Docker daemon' >&2; exit 1"})
		newSandbox(t).WantRefusal(env, []string{"up"}, "Cannot connect to the Docker daemon", "start it")
	})
	t.Run("no privileges", func(t *testing.T) {
		env := withGo(t, map[string]string{"docker": `case "$1" in run) echo 'unable to apply caps: operation not permitted' >&2; exit 126;; esac; /bin/cat >/dev/null`})
		newSandbox(t).WantRefusal(env, []string{"up"}, "unable to apply caps")
	})
}

// TestForeignCluster finds a cluster with the sandbox's name that another program created. Neither
// up nor down may change it.
func TestForeignCluster(t *testing.T) {
	s := newSandbox(t)
	s.up()
	other := sandboxIn(t, filepath.Join(t.TempDir(), "other"))
	other.WantRefusal(nil, []string{"up"}, name, "did not create it", "--name")
	s.WantUp()
}
