package embedded

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestActionLive runs the script of the GitHub action twice on a running sandbox: on the sample,
// with measurements, and on another object that it applies. The second run compares with the
// measurements of the first.
func TestActionLive(t *testing.T) {
	s := newSandbox(t)
	s.up()
	first, second := t.TempDir(), t.TempDir()
	manifest := filepath.Join(t.TempDir(), "other.yaml")
	const other = "apiVersion: dummy.example.com/v1alpha1\nkind: Head\nmetadata: {name: other}\nspec: {child_a: registry.k8s.io/pause:3.10.2}\n"
	if err := os.WriteFile(manifest, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, run := range []struct {
		inputs []string
		want   []string
	}{
		{
			[]string{"TRACE_OUTPUT=" + first, "TRACE_RUNS=2", "TRACE_FAIL_ON=any"},
			[]string{"### Operator trace: passed", "    Head head-sample: Ready after", "    no findings", "no baseline"},
		},
		{
			[]string{"TRACE_OUTPUT=" + second, "TRACE_APPLY=" + manifest, "TRACE_OBJECT=other", "TRACE_BASELINE=" + first + "/measurements.json"},
			[]string{"### Operator trace: passed", "    Head other: Ready after", "### Values without a verdict: A has 2 traces, B has 1 trace"},
		},
	} {
		out, err := s.runAction(t.Context(), run.inputs)
		if err != nil {
			t.Fatalf("run.sh with %s: %v\n%s", run.inputs, err, out)
		}
		comment, err := os.ReadFile(filepath.Join(strings.TrimPrefix(run.inputs[0], "TRACE_OUTPUT="), "comment.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range run.want {
			if !strings.Contains(string(comment), want) {
				t.Errorf("comment without %q:\n%s", want, comment)
			}
		}
	}
	const invalid = "apiVersion: dummy.example.com/v1alpha1\nkind: Head\nmetadata: {name: other}\nspec: {child_a: 1}\n"
	if err := os.WriteFile(manifest, []byte(invalid), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := s.runAction(t.Context(), []string{"TRACE_OUTPUT=" + second, "TRACE_APPLY=" + manifest, "TRACE_OBJECT=other"})
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("run.sh with an invalid manifest: %v, want exit code 3\n%s", err, out)
	}
	s.WantUp()
}

// runAction runs the script of the action with the sandbox's program.
func (s *sandbox) runAction(ctx context.Context, inputs []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	command := s.Command(ctx) // It has the program and the environment.
	cmd := exec.CommandContext(ctx, "../../../.github/actions/trace/run.sh")
	cmd.Env = slices.Concat(command.Env, inputs, []string{"SANDBOX_NAME=" + s.Name, "SANDBOX_STATE_DIR=" + s.Dir, "SANDBOX_PROGRAM=" + command.Path})
	cmd.WaitDelay = command.WaitDelay
	out, err := cmd.CombinedOutput()
	return string(out), err
}
