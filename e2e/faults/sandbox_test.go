package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// name is the cluster's name: not the user's own sandbox's.
const name = "operator-tracing-faults"

// Limits of the commands. An up makes a cluster in half a minute with images cached; TestMain saw to that.
const (
	upLimit   = 5 * time.Minute
	downLimit = 2 * time.Minute
	askLimit  = time.Minute
)

// program is the sandbox's binary, built by TestMain.
var program string

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	if short() {
		fmt.Println("faults: these tests make clusters; -short leaves them out")
		return 0
	}
	dir, err := os.MkdirTemp("", "sandbox-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a folder for the program:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "sandbox")
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", program, "../../sandbox")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the sandbox:", err)
		return 1
	}
	return m.Run()
}

// short tells whether -short was given; TestMain runs before flags are parsed.
func short() bool {
	for _, a := range os.Args[1:] {
		if a == "-test.short" || a == "-test.short=true" {
			return true
		}
	}
	return false
}

// sandbox is one sandbox of a test.
type sandbox struct {
	t   *testing.T
	dir string
}

// newSandbox returns a sandbox that does not exist yet, and removes it when the test ends.
func newSandbox(t *testing.T) *sandbox {
	s := &sandbox{t: t, dir: filepath.Join(t.TempDir(), "state")}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if out, err := s.run(context.Background(), downLimit, "down"); err != nil { //nolint:usetesting // See above.
			t.Errorf("removing the sandbox: %v\n%s", err, out)
		}
	})
	return s
}

// command is one of the sandbox's commands, with the provider and the images that CI's environment names.
func (s *sandbox) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, append([]string{"--name=" + name, "--state-dir=" + s.dir}, args...)...)
	cmd.Env = append(os.Environ(), "SANDBOX_NAME=", "SANDBOX_STATE_DIR=")
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// run runs a command and returns what it printed on stdout and stderr.
func (s *sandbox) run(ctx context.Context, limit time.Duration, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, err := s.command(ctx, args...).CombinedOutput()
	return string(out), err
}

// up brings the sandbox up and returns what it printed.
func (s *sandbox) up() string {
	s.t.Helper()
	start := time.Now()
	out, err := s.run(s.t.Context(), upLimit, "up")
	if err != nil {
		s.t.Fatalf("up: %v\n%s", err, out)
	}
	s.t.Logf("up took %s: cluster %s", time.Since(start).Round(100*time.Millisecond), outcome(out))
	return out
}

// outcome is what up says that it did about the cluster.
func outcome(out string) string {
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[0] == "✓" && fields[1] == "cluster" {
			return strings.Join(fields[4:], " ")
		}
	}
	return ""
}

// wantOutcome fails unless up did this about the cluster and ended with the sample's trace.
func (s *sandbox) wantOutcome(out string, wanted ...string) {
	s.t.Helper()
	got := outcome(out)
	for _, w := range wanted {
		if got == w {
			if !strings.Contains(out, "admit Head") {
				s.t.Fatalf("up printed no trace:\n%s", out)
			}
			return
		}
	}
	s.t.Fatalf("up did %q about the cluster, want one of %q:\n%s", got, wanted, out)
}

// wantUp fails unless status says that the sandbox is up.
func (s *sandbox) wantUp() {
	s.t.Helper()
	var stdout bytes.Buffer
	ctx, cancel := context.WithTimeout(s.t.Context(), askLimit)
	defer cancel()
	cmd := s.command(ctx, "status", "--output=json")
	cmd.Stdout = &stdout
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("status: %v\n%s", err, stdout.String())
	}
	var status struct{ State, Provider string }
	if err := json.Unmarshal(stdout.Bytes(), &status); err != nil || status.State != "up" {
		s.t.Fatalf("status: %v, state %q\n%s", err, status.State, stdout.String())
	}
}

// engine calls the container engine that the sandbox uses, with the sandbox's settings for it.
func (s *sandbox) engine(args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), askLimit)
	defer cancel()
	record := s.record()
	cmd := exec.CommandContext(ctx, record.Provider, args...)
	cmd.Env = os.Environ()
	if record.ContainersConf != "" {
		cmd.Env = append(cmd.Env, "CONTAINERS_CONF="+record.ContainersConf)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", record.Provider, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

type record struct {
	Provider       string
	ContainersConf string
	Creating       bool
}

func (s *sandbox) record() record {
	s.t.Helper()
	var r record
	data, err := os.ReadFile(filepath.Join(s.dir, "state.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		s.t.Fatalf("reading the sandbox's record: %v", err)
	}
	return r
}
