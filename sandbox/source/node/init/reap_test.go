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

// initWith is the test binary as PID 1 with a supervisor of this role.
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
		t.Errorf("%v: %s", err, out)
	}
}

func TestReapEndsWithTheSupervisorsStatus(t *testing.T) {
	out, err := initWith(t, "fails").CombinedOutput()
	if err == nil || string(out) != "supervisor ended with status 5\n" {
		t.Errorf("it ended with %v and said %q", err, out)
	}
}

// Engines stop a node by SIGTERM, or by SIGRTMIN+3 where an image was made for systemd; a terminal by SIGINT.
func TestReapHandsSignalsOn(t *testing.T) {
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
			t.Fatalf("the supervisor said %q", lines.Text())
		}
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || lines.Text() != "stopped" {
			t.Errorf("after signal %d the supervisor said %q", s, lines.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after signal %d: %v: %s", s, err, stderr.String())
		}
	}
}
