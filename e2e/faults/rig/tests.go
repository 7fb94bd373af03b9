package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// endLimit is the timeout of a run of the tests and of the cleanup of their reaper.
const endLimit = 10 * time.Minute

// ending is a way in which the end-to-end tests can end.
type ending struct {
	name   string
	fault  string    // The action of the hidden test.
	signal os.Signal // The signal after it has disturbed the cluster.
	flags  []string  // Flags of the tests' binary.
	env    []string  // The setup of the run fails.
	waits  bool      // Nothing may remain when the binary exits. Otherwise the reaper continues.
	says   string    // A part of the output.
	code   int       // The exit code. -1 means the end by a signal.
	ready  bool      // The hidden test is reached.
}

// buildTests builds the end-to-end tests with their hidden faults, once.
var buildTests = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(program), "e2e.test")
	cmd := exec.CommandContext(context.Background(), "go", "test", "-c", "-trimpath", "-tags=lifecycle", "-o", path, "./e2e")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the end-to-end tests: %w\n%s", err, out)
	}
	return path, nil
})

// Endings runs the real end-to-end tests once for each possible ending, or for the named ones.
// After each, it calls look when no process of the run exists any more. The environment failSetup
// makes a setup fail. limit is the tests' -timeout, long enough to reach the fault. It reads /proc,
// so it needs Linux.
func (s *Sandbox) Endings(limit time.Duration, failSetup []string, look func(t *testing.T), only ...string) {
	s.T.Helper()
	for _, e := range []ending{
		{name: "SIGINT", signal: syscall.SIGINT, waits: true, says: "interrupt: cleaning up", code: 130, ready: true},
		{name: "SIGTERM", signal: syscall.SIGTERM, waits: true, says: "terminated: cleaning up", code: 143, ready: true},
		{name: "SIGKILL", signal: syscall.SIGKILL, code: -1, ready: true},
		{name: "timeout", flags: []string{"-test.timeout=" + limit.String()}, says: "panic: test timed out", code: 2, ready: true},
		{name: "panic", fault: "panic", says: "panic: asked to", code: 2, ready: true},
		{name: "fatal", fault: "fatal", waits: true, says: "asked to", code: 1, ready: true},
		{name: "fatal in a feature's setup", fault: "setup", waits: true, says: "the feature's setup fails", code: 1, ready: true},
		{name: "failed setup", env: failSetup, waits: true, says: "e2e: ", code: 1},
	} {
		if len(only) == 0 || slices.Contains(only, e.name) {
			s.T.Run(e.name, func(t *testing.T) {
				part := *s
				part.T = t
				part.end(e)
				look(t)
			})
		}
	}
}

// end runs the tests to their end, and fails the test if a process or a temporary file still
// exists.
func (s *Sandbox) end(e ending) {
	s.T.Helper()
	tests, err := buildTests()
	if err != nil {
		s.T.Fatal(err)
	}
	tmp := s.T.TempDir()
	ctx, cancel := context.WithTimeout(s.T.Context(), endLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, tests, append([]string{"-test.run=^TestFault$", "-test.v"}, e.flags...)...)
	cmd.Dir = filepath.Join(root, "e2e")
	cmd.Env = slices.Concat(os.Environ(), s.Env, []string{
		"TMPDIR=" + tmp, "SANDBOX_NAME=" + s.Name, "SANDBOX_STATE_DIR=" + s.Dir, "E2E_SANDBOX=" + program, "E2E_FAULT=" + e.fault, "CI="}, e.env)
	if e.fault == "panic" { // This one builds the sandbox's program itself.
		cmd.Env = append(cmd.Env, "E2E_SANDBOX=")
	}
	said, code, ended := s.runToEnd(cmd, e)
	left := WithVariable("TMPDIR=" + tmp)
	if e.waits && len(left) > 0 {
		s.T.Errorf("these processes run after the end of the tests: %v", left)
	}
	for ; len(left) > 0; left = WithVariable("TMPDIR=" + tmp) {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			s.T.Fatalf("%s after the tests, these processes run: %v", time.Since(ended).Round(time.Second), left)
		}
	}
	s.T.Logf("all processes ended %s after the tests", time.Since(ended).Round(100*time.Millisecond))
	files, err := os.ReadDir(tmp)
	if err != nil || len(files) > 0 {
		s.T.Errorf("temporary files remain: %v, %v", files, err)
	}
	if code != e.code || !strings.Contains(said, e.says) || strings.Contains(said, "fault: ") != e.ready {
		s.T.Errorf("exit code %d, want %d and %q:\n%s", code, e.code, e.says, said)
	}
}

// runToEnd runs the tests, sends the signal when they have disturbed the cluster, and returns their
// own output, their exit code and the time of their end.
func (s *Sandbox) runToEnd(cmd *exec.Cmd, e ending) (string, int, time.Time) {
	s.T.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		s.T.Fatal(err)
	}
	defer reader.Close()
	cmd.Stdout, cmd.Stderr = writer, writer // A pipe of this process, so that Wait does not wait for the reaper, which also holds it.
	if err := cmd.Start(); err != nil {
		s.T.Fatal(err)
	}
	_ = writer.Close() // The tests have their own end.
	var mu sync.Mutex
	var said strings.Builder
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(reader); lines.Scan(); {
			mu.Lock()
			fmt.Fprintln(&said, lines.Text())
			mu.Unlock()
			if strings.HasPrefix(lines.Text(), "fault: ") && e.signal != nil {
				_ = cmd.Process.Signal(e.signal) // The exit code shows a failure.
			}
		}
	}()
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.T.Fatal(err)
	}
	code, ended := cmd.ProcessState.ExitCode(), time.Now()
	if !e.waits {
		<-read // The output ends when the reaper exits.
	}
	mu.Lock()
	defer mu.Unlock()
	return said.String(), code, ended
}

// WithVariable returns the command lines of the processes that have a variable in their
// environment, as NAME=VALUE, by id. It reads /proc: elsewhere than on Linux it finds none.
func WithVariable(variable string) map[int]string {
	found := map[int]string{}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		// A process that has ended meanwhile has no environment.
		env, _ := os.ReadFile(filepath.Join(folder, "environ"))
		if !slices.Contains(strings.Split(string(env), "\x00"), variable) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		if pid, err := strconv.Atoi(filepath.Base(folder)); err == nil {
			found[pid] = strings.ReplaceAll(string(command), "\x00", " ")
		}
	}
	return found
}
