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

// name is the cluster's name: not the user's own sandbox's.
const name = "operator-tracing-faults"

// Limits of the commands. An up makes a cluster in half a minute with images cached; TestMain saw to that.
const (
	upLimit   = 5 * time.Minute
	downLimit = 2 * time.Minute
)

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard()) // Its client wants one.
	os.Exit(rig.Main(m))
}

// sandbox is one sandbox of a test.
type sandbox struct{ *rig.Sandbox }

// newSandbox returns a sandbox that does not exist yet, and removes it when the test ends.
func newSandbox(t *testing.T) *sandbox { return newSandboxNamed(t, name) }

func newSandboxNamed(t *testing.T, name string) *sandbox {
	s := sandboxIn(t, filepath.Join(t.TempDir(), "state"))
	s.Name = name
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if out, err := s.Run(context.Background(), downLimit, "down"); err != nil { //nolint:usetesting // See above.
			t.Errorf("removing the sandbox: %v\n%s", err, out)
		}
	})
	return s
}

// sandboxIn is on kind, with the provider and the images that CI's environment names: where no engine works, embedded must
// not take its place here.
func sandboxIn(t *testing.T, dir string) *sandbox {
	return &sandbox{&rig.Sandbox{T: t, Name: name, Dir: dir, Env: []string{"SANDBOX_CLUSTER=kind"}}}
}

// up brings the sandbox up and returns what it printed.
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

// outcome is what up says that it did about the cluster.
func outcome(out string) string {
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 5 && rig.StepOf(line) == component.ControlPlane {
			return strings.Join(fields[5:], " ") // After the mark, the two words of the name, and the time.
		}
	}
	return ""
}

// wantOutcome fails unless up did this about the cluster and ended with the sample's trace.
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

// engine calls the container engine that the sandbox uses, with the sandbox's settings for it.
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
