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

// endLimit bounds a run of the tests and what their guard does after their end.
const endLimit = 10 * time.Minute

// ending is a way in which the end-to-end tests can end.
type ending struct {
	name   string
	fault  string    // what the hidden test is told to do
	signal os.Signal // what it is sent once it has disturbed the cluster
	flags  []string  // of the tests' binary
	env    []string  // where the run sets up, so that it fails
	waits  bool      // whether nothing may be left when the binary has ended; the guard of others works on
	says   string    // is in what it prints
	code   int       // the exit code; -1 is the end by a signal
	ready  bool      // whether the hidden test gets so far
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

// Endings runs the real end-to-end tests once for each way in which they can end, or for those that are named, and calls look
// after each, when no process of the run is left. The setup that failed is brought about by failSetup, an environment. Limit is the
// tests' -timeout, long enough to get to the fault. It reads /proc: Linux alone.
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

// end runs the tests to their end, and fails if a process or a temporary file is left then.
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
	if e.fault == "panic" { // One that builds the sandbox's program itself.
		cmd.Env = append(cmd.Env, "E2E_SANDBOX=")
	}
	said, code, ended := s.runToEnd(cmd, e)
	left := WithVariable("TMPDIR=" + tmp)
	if e.waits && len(left) > 0 {
		s.T.Errorf("the tests have ended and these run on: %v", left)
	}
	for ; len(left) > 0; left = WithVariable("TMPDIR=" + tmp) {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			s.T.Fatalf("%s after the tests these are left: %v", time.Since(ended).Round(time.Second), left)
		}
	}
	s.T.Logf("everything has ended %s after the tests", time.Since(ended).Round(100*time.Millisecond))
	files, err := os.ReadDir(tmp)
	if err != nil || len(files) > 0 {
		s.T.Errorf("temporary files are left: %v, %v", files, err)
	}
	if code != e.code || !strings.Contains(said, e.says) || strings.Contains(said, "fault: ") != e.ready {
		s.T.Errorf("exit code %d, want %d and %q:\n%s", code, e.code, e.says, said)
	}
}

// runToEnd runs the tests, sends the signal once they have disturbed the cluster, and gives what they said themselves their exit
// code and when they ended.
func (s *Sandbox) runToEnd(cmd *exec.Cmd, e ending) (string, int, time.Time) {
	s.T.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		s.T.Fatal(err)
	}
	defer reader.Close()
	cmd.Stdout, cmd.Stderr = writer, writer // A pipe of this process's own: Wait is not to wait for the guard, which holds it too.
	if err := cmd.Start(); err != nil {
		s.T.Fatal(err)
	}
	_ = writer.Close() // The tests have their own.
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
				_ = cmd.Process.Signal(e.signal) // The code tells if that failed.
			}
		}
	}()
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.T.Fatal(err)
	}
	code, ended := cmd.ProcessState.ExitCode(), time.Now()
	if !e.waits {
		<-read // The guard's end is that of what it says.
	}
	mu.Lock()
	defer mu.Unlock()
	return said.String(), code, ended
}

// WithVariable gives the command lines of the processes that have a variable in their environment, as NAME=VALUE, by id. It reads
// /proc: elsewhere than on Linux it finds none.
func WithVariable(variable string) map[int]string {
	found := map[int]string{}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		// One that has ended meanwhile has none of these.
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
