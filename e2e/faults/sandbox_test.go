package faults

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// name is the name of the cluster, which differs from the user's own sandbox.
const name = "operator-tracing-faults"

// Timeouts of the commands. An up takes half a minute with cached images, which TestMain provides.
const (
	upLimit   = 5 * time.Minute
	downLimit = 2 * time.Minute
)

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard()) // Its client requires one.
	os.Exit(rig.Main(m))
}

// sandbox is the sandbox of a test.
type sandbox struct{ *rig.Sandbox }

// newSandbox returns a sandbox that does not exist yet, and removes it when the test ends.
func newSandbox(t *testing.T) *sandbox { return newSandboxNamed(t, name) }

func newSandboxNamed(t *testing.T, name string) *sandbox {
	s := sandboxIn(t, filepath.Join(t.TempDir(), "state"))
	s.Name = name
	t.Cleanup(func() {
		// The test's context is already cancelled.
		if out, err := s.Run(context.Background(), downLimit, "down"); err != nil { //nolint:usetesting // See above.
			t.Errorf("removing the sandbox: %v\n%s", err, out)
		}
	})
	return s
}

// sandboxIn returns a sandbox on kind, with the provider and the images of CI's environment. If no
// engine works, an embedded cluster must not replace it.
func sandboxIn(t *testing.T, dir string) *sandbox {
	return &sandbox{&rig.Sandbox{T: t, Name: name, Dir: dir, Env: []string{"SANDBOX_CLUSTER=kind"}}}
}

// up starts the sandbox and returns its output.
func (s *sandbox) up(flags ...string) string {
	s.T.Helper()
	start := time.Now()
	out, err := s.Run(s.T.Context(), upLimit, append([]string{"up"}, flags...)...)
	if err != nil {
		s.T.Fatalf("up: %v\n%s", err, out)
	}
	s.T.Logf("up took %s: cluster %s", time.Since(start).Round(100*time.Millisecond), outcome(out))
	return out
}

// outcome returns the result of up for the cluster.
func outcome(out string) string {
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 5 && rig.StepOf(line) == component.ControlPlane {
			return strings.Join(fields[5:], " ") // After the mark, the two words of the name, and the time.
		}
	}
	return ""
}

// wantOutcome fails the test unless up had this result for the cluster and printed the sample's
// trace.
func (s *sandbox) wantOutcome(out string, wanted ...string) {
	s.T.Helper()
	got := outcome(out)
	for _, w := range wanted {
		if got == w {
			if !strings.Contains(out, "admit Head") {
				s.T.Fatalf("up printed no trace:\n%s", out)
			}
			return
		}
	}
	s.T.Fatalf("up did %q about the cluster, want one of %q:\n%s", got, wanted, out)
}

// engine runs the container engine of the sandbox, with the sandbox's settings for it.
func (s *sandbox) engine(args ...string) string {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), rig.AskLimit)
	defer cancel()
	record := s.Record()
	cmd := exec.CommandContext(ctx, record.Provider, args...)
	cmd.Env = os.Environ()
	if record.ContainersConf != "" {
		cmd.Env = append(cmd.Env, "CONTAINERS_CONF="+record.ContainersConf)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.T.Fatalf("%s %s: %v\n%s", record.Provider, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
