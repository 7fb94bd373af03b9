package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// AskLimit is the timeout of a command that only reads.
const AskLimit = time.Minute

// Sandbox is the sandbox of a test. It is not safe for concurrent use, except [Sandbox.Command] and
// [Sandbox.Run].
type Sandbox struct {
	T *testing.T
	// Name is the name of the cluster, and Dir its state folder.
	Name, Dir string
	// DefaultDir makes the program find Dir itself, from the environment.
	DefaultDir bool
	// Env is added to this process's environment for each command.
	Env []string
}

// Command returns one of the sandbox's commands. It ignores the sandbox's name and folder of the
// environment, so that it never uses the user's own sandbox. It keeps the provider and the images
// of the environment.
func (s *Sandbox) Command(ctx context.Context, args ...string) *exec.Cmd {
	flags := []string{"--name=" + s.Name, "--source=" + root}
	if !s.DefaultDir {
		flags = append(flags, "--state-dir="+s.Dir)
	}
	cmd := exec.CommandContext(ctx, program, append(flags, args...)...)
	cmd.Env = append(append(os.Environ(), "SANDBOX_NAME=", "SANDBOX_STATE_DIR="), s.Env...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// Run runs a command, at most for limit, and returns its stdout and stderr.
func (s *Sandbox) Run(ctx context.Context, limit time.Duration, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, err := s.Command(ctx, args...).CombinedOutput()
	return string(out), err
}

// WantRefusal fails the test unless a command exits with code 1 and one line that has all the
// words. Env is added to its environment.
func (s *Sandbox) WantRefusal(env, args []string, words ...string) {
	s.T.Helper()
	s.WantExit(1, env, args, words...)
}

// WantExit is WantRefusal with another exit code. A mistake on the command line (code 2) has a
// second line, which names the help.
func (s *Sandbox) WantExit(code int, env, args []string, words ...string) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), 5*time.Minute)
	defer cancel()
	cmd := s.Command(ctx, args...)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		s.T.Fatalf("%s: exit code %d, want %d: %v\n%s", strings.Join(args, " "), got, code, err, out)
	}
	text := string(out)
	_, message, found := strings.Cut(text, "Error: ")
	if code == 2 {
		message, _, _ = strings.Cut(message, "\nSee `")
	}
	if !found || strings.Count(strings.TrimSpace(message), "\n") > 0 {
		s.T.Errorf("%s: want an error of one line:\n%s", strings.Join(args, " "), text)
	}
	for _, word := range words {
		if !strings.Contains(message, word) {
			s.T.Errorf("%s: error without %q:\n%s", strings.Join(args, " "), word, message)
		}
	}
	if strings.Contains(text, "goroutine ") {
		s.T.Errorf("%s: the error has a stack trace:\n%s", strings.Join(args, " "), text)
	}
}

// Status returns the status of the sandbox and the exit code of the command.
func (s *Sandbox) Status() (provider.Status, int) {
	s.T.Helper()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(s.T.Context(), AskLimit)
	defer cancel()
	cmd := s.Command(ctx, "status", "--output=json")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.T.Fatalf("status: %v", err)
	}
	var status provider.Status
	if err := json.Unmarshal(stdout.Bytes(), &status); err != nil {
		s.T.Fatalf("status: %v\n%s%s", err, stdout.String(), stderr.String())
	}
	return status, cmd.ProcessState.ExitCode()
}

// WantUp fails the test unless the sandbox is up, and returns its status.
func (s *Sandbox) WantUp() provider.Status {
	s.T.Helper()
	status, code := s.Status()
	if code != 0 || status.State != provider.StateUp {
		s.T.Fatalf("status: exit code %d, state %q: %s", code, status.State, status.Message)
	}
	return status
}

// Record returns the sandbox's record.
func (s *Sandbox) Record() state.Record {
	s.T.Helper()
	record, err := state.Dir{Path: s.Dir}.Load()
	if err != nil {
		s.T.Fatalf("reading the sandbox's record: %v", err)
	}
	return record
}
