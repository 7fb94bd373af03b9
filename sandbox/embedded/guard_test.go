package embedded

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/process"
)

// newService returns a service that runs a script, and counts as ready when it runs long enough.
func newService(t *testing.T, c *Cluster, name, script string) service {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.table.Stop(context.WithoutCancel(t.Context()), name) }) // It may have exited.
	return service{
		name:  name,
		spec:  func() (process.Spec, error) { return process.Spec{Path: shell, Args: []string{"-c", script}}, nil },
		ready: func(context.Context) error { return c.hasSettled(name) },
	}
}

// A process that exits soon after its start is not ready, and the error has the line that says why.
func TestAProcessThatExitsIsNotReady(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ script, want string }{
		"a flag of cobra":   {"echo 'Error: unknown flag: --kubeconfig\nUsage:\n  manager [flags]\n  --level   one of info, error' >&2; exit 1", "operator exited: Error: unknown flag: --kubeconfig; see `sandbox logs operator`"},
		"a flag of package": {"echo 'flag provided but not defined: -kubeconfig\nUsage of manager:\n  -level error' >&2; exit 2", "operator exited: flag provided but not defined: -kubeconfig; see `sandbox logs operator`"},
		"later":             {"sleep 0.5; echo 'panic: no CRD' >&2; exit 2", "operator exited: panic: no CRD; see `sandbox logs operator`"},
		"success":           {"exit 0", "operator exited without output"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := prepared(t)
			_, err := c.start(t.Context(), newService(t, c, component.Operator, test.script), nil)
			if err == nil || err.Error() != test.want {
				t.Errorf("start() = %v, want %s", err, test.want)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	c := prepared(t)
	for _, name := range []string{component.Operator, component.Jaeger} {
		if _, err := c.start(t.Context(), newService(t, c, name, "echo 'Error: the end' >&2; while :; do sleep 0.1; done # "+name), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Guard(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Errorf("Guard() = %v while all processes run", err)
	}
	failure := errors.New("failure")
	if err := c.Guard(t.Context(), func(context.Context) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("Guard() = %v, want the error of run", err)
	}
	kill := func() {
		p, err := c.table.Find(component.Operator)
		if err == nil && p != nil {
			err = syscall.Kill(p.PID, syscall.SIGKILL)
		}
		if err != nil || p == nil {
			t.Errorf("killing %v: %v", p, err)
		}
	}
	for _, test := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"during a wait", func(ctx context.Context) error { kill(); <-ctx.Done(); return ctx.Err() }},
		{"before success", func(context.Context) error { return nil }},
	} {
		if err := c.Guard(t.Context(), test.run); err == nil || !strings.Contains(err.Error(), "operator exited: Error: the end; see `sandbox logs operator`") {
			t.Errorf("%s: Guard() = %v, want the reason for the exit", test.name, err)
		}
	}
	c.guard.Mark(component.Operator, false)
	if err := c.Guard(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Errorf("Guard() = %v without that process", err)
	}
}
