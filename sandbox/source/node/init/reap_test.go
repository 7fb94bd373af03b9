//go:build linux

package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// initWith returns the test binary as init, with a supervisor that has this role.
func initWith(t *testing.T, role string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), playInit+"=1", playSupervisor+"="+role)
	return cmd
}

func TestReapWaitsForOrphans(t *testing.T) {
	if out, err := initWith(t, "orphans").CombinedOutput(); err != nil {
		t.Errorf("init = %v, want exit code 0: %s", err, out)
	}
}

func TestReapReturnsTheStatusOfTheSupervisor(t *testing.T) {
	out, err := initWith(t, "fails").CombinedOutput()
	if err == nil || string(out) != "supervisor exited with status 5\n" {
		t.Errorf("init = %v with output %q, want an error with status 5", err, out)
	}
}

// Engines stop a node with SIGTERM, or with SIGRTMIN+3 if its image was built for systemd. A
// terminal sends SIGINT.
func TestReapForwardsSignals(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, 37} {
		cmd := initWith(t, "stops")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		if !lines.Scan() || lines.Text() != "ready" {
			t.Fatalf("output of the supervisor = %q, want ready", lines.Text())
		}
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || lines.Text() != "stopped" {
			t.Errorf("output of the supervisor after signal %d = %q, want stopped", s, lines.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after signal %d: %v: %s", s, err, stderr.String())
		}
	}
}
