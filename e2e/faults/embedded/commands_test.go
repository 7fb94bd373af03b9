package embedded

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
)

// TestTwoUps runs two at once: one waits for the other, and then finds a complete sandbox.
func TestTwoUps(t *testing.T) {
	s := newSandbox(t)
	type result struct {
		out string
		err error
	}
	results := make(chan result, 2)
	for range 2 {
		go func() {
			out, err := s.Run(t.Context(), 2*upLimit, "up")
			results <- result{out, err}
		}()
	}
	started, waited := 0, 0
	for range 2 {
		r := <-results
		if r.err != nil {
			t.Fatalf("up: %v\n%s", r.err, r.out)
		}
		if strings.Contains(r.out, ", which changes the sandbox") {
			waited++
		}
		for line := range strings.Lines(r.out) {
			if rig.StepOf(line) == "control plane" && strings.Contains(line, " started") {
				started++
			}
		}
	}
	if started != 1 || waited != 1 {
		t.Errorf("%d of the two started the control plane and %d waited, want one and the other", started, waited)
	}
	s.wantWhole()
}

// TestKilledUp kills up right after each of its steps. The next up completes the sandbox, and down
// removes everything.
func TestKilledUp(t *testing.T) {
	s := newSandbox(t)
	steps := s.Steps(s.up())
	s.down()
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			s := s.in(t)
			s.KillUpAfter(step)
			s.down()
			s.KillUpAfter(step)
			s.up()
			s.down()
		})
	}
}

// TestInterruptedUp sends the signals of Ctrl-C and of the end of a CI job. up exits soon with an
// error, and the next up works.
func TestInterruptedUp(t *testing.T) {
	const patience = 2 * time.Second
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		for _, step := range []string{"kind of cluster", "prepare", "control plane", "operator"} {
			t.Run(signal.String()+" after "+step, func(t *testing.T) {
				s := newSandbox(t)
				cmd, out := s.UpUntil(step)
				start := time.Now()
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				text, err := rig.End(cmd, out)
				if cmd.ProcessState.ExitCode() != 130 || !strings.Contains(text, "Error: interrupted; ") {
					t.Errorf("up ended with code %d: %v\n%s", cmd.ProcessState.ExitCode(), err, text)
				}
				if took := time.Since(start); took > patience {
					t.Errorf("up took %s to end:\n%s", took, text)
				}
				if _, message, found := strings.Cut(text, "Error: "); !found || strings.Count(strings.TrimSpace(message), "\n") > 0 {
					t.Errorf("want an error of one line:\n%s", text)
				}
				s.up()
			})
		}
	}
}
