package embedded

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/faults/leftover"
	"github.com/operator-tracing/sandbox/sandbox/faults/report"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// matrixLimit is much longer than the plans of the reference operator take.
const matrixLimit = 15 * time.Minute

// TestFaultsRun runs all plans of the reference operator, which pass. Afterwards the sandbox is as before, also
// after an interrupted run, and an up repairs it after a killed one.
func TestFaultsRun(t *testing.T) {
	s := newSandbox(t)
	s.up()
	before := s.wantWhole()
	junit := filepath.Join(t.TempDir(), "faults.xml")
	r := s.faultsRun("--junit=" + junit)
	if !r.OK() || len(r.Plans) < 50 || len(r.Skipped) > 0 {
		t.Errorf("%d plans, %d skipped, problem %q", len(r.Plans), len(r.Skipped), r.Problem)
	}
	for _, p := range r.Failures() {
		t.Errorf("%s", p.Text(r.Clean))
	}
	t.Logf("%d plans took %.0f s", len(r.Plans), r.Seconds)
	if data, err := os.ReadFile(junit); err != nil || xml.Unmarshal(data, new(struct{})) != nil {
		t.Errorf("the JUnit report: %v\n%s", err, data)
	}
	after := s.wantWhole()
	if after["operator"] == before["operator"] {
		t.Error("the operator was not restarted without the proxy")
	}
	s.wantNoNamespaces()

	out, code := s.endFaults(syscall.SIGINT)
	if code != 130 || !strings.Contains(out, "interrupted") {
		t.Errorf("after SIGINT: exit code %d, want 130 and that it was interrupted\n%s", code, out)
	}
	s.wantWhole()
	s.wantNoNamespaces()

	s.endFaults(syscall.SIGKILL)
	status, _ := s.Status()
	problem := messages(status)
	// Between two runs the operator does not run.
	named := strings.Contains(problem, "behind the proxy of") || strings.Contains(problem, "operator is not running")
	if status.State == provider.StateUp || !named {
		t.Errorf("after SIGKILL the state is %s: %q, want that the operator is behind the proxy or does not run", status.State, problem)
	}
	s.up()
	s.wantNoNamespaces()
}

// TestFaultsRunFindsABug runs an operator that loses the name of a child, and its corrected twin.
func TestFaultsRunFindsABug(t *testing.T) {
	file, err := filepath.Abs("testdata/forgetful/sandbox.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := newSandbox(t)
	for variable, want := range map[string]report.Outcome{"": report.Failed, "CAREFUL=true": report.Passed} {
		args := []string{"up", "-f", file}
		if variable != "" {
			args = append(args, "--operator-env="+variable)
		}
		if out, err := s.Run(t.Context(), upLimit, args...); err != nil {
			t.Fatalf("up: %v\n%s", err, out)
		}
		r := s.faultsRun("--only=write:1,kill-after")
		if len(r.Plans) != 1 || r.Plans[0].Outcome != want {
			t.Fatalf("with %q: %+v, want one plan that %s", variable, r, want)
		}
		if p := r.Plans[0]; want == report.Failed && (!strings.Contains(p.Text(r.Clean), "created more often") || p.Trace == "" || p.Log == "" || !strings.Contains(p.Repeat, "--only=write:1,kill-after")) {
			t.Errorf("the report lacks a part:\n%s", p.Text(r.Clean))
		}
		if out, err := s.Run(t.Context(), downLimit, "down"); err != nil {
			t.Fatalf("down: %v\n%s", err, out)
		}
	}
}

// faultsRun runs plans, and returns the report.
func (s *sandbox) faultsRun(args ...string) *report.Report {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), matrixLimit)
	defer cancel()
	cmd := s.Command(ctx, append([]string{"faults", "run", "-o", "json"}, args...)...)
	var progress strings.Builder
	cmd.Stderr = &progress
	out, err := cmd.Output()
	r := &report.Report{}
	if decodeErr := json.Unmarshal(out, r); decodeErr != nil {
		s.T.Fatalf("faults run: %v, %v\n%s%s", err, decodeErr, out, progress.String())
	}
	if (err == nil) != r.OK() {
		s.T.Errorf("faults run: %v, want a failure only if a plan fails\n%s", err, progress.String())
	}
	return r
}

// endFaults ends fault runs by a signal after the start of the first plan.
func (s *sandbox) endFaults(signal syscall.Signal) (out string, code int) {
	s.T.Helper()
	cmd := s.Command(s.T.Context(), "faults", "run", "--quiet=200ms")
	file, err := os.Create(filepath.Join(s.T.TempDir(), "out"))
	if err != nil {
		s.T.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		s.T.Fatal(err)
	}
	read := func() string {
		data, err := os.ReadFile(file.Name())
		if err != nil {
			s.T.Fatal(err)
		}
		return string(data)
	}
	s.Wait(upLimit, "the first plan", func() bool { return strings.Contains(read(), "clean run 2 of 2") })
	if err := cmd.Process.Signal(signal); err != nil {
		s.T.Fatal(err)
	}
	_ = cmd.Wait() // The exit code is below.
	return read(), cmd.ProcessState.ExitCode()
}

// wantNoNamespaces fails if a namespace of a plan is left.
func (s *sandbox) wantNoNamespaces() {
	s.T.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(s.Dir, "kubeconfig"))
	if err != nil {
		s.T.Fatal(err)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		s.T.Fatal(err)
	}
	list := &corev1.NamespaceList{}
	if err := c.List(s.T.Context(), list, client.HasLabels{leftover.Label}); err != nil {
		s.T.Fatal(err)
	}
	for i := range list.Items {
		s.T.Errorf("namespace %s is left", list.Items[i].Name)
	}
}

func messages(status provider.Status) string {
	all := status.Message
	for _, c := range status.Components {
		all += c.Message
	}
	return all
}
