package embedded

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTwoUps starts two at once: one waits for the other, and then finds everything there.
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
		if strings.Contains(r.out, "Another command is at work") {
			waited++
		}
		for line := range strings.Lines(r.out) {
			if stepOf(line) == "control plane" && strings.HasSuffix(strings.TrimSpace(line), " started") {
				started++
			}
		}
	}
	if started != 1 || waited != 1 {
		t.Errorf("%d of the two started the control plane and %d waited, want one and the other", started, waited)
	}
	s.wantWhole()
}

// TestKilledUp kills up right after each of its steps: the next up makes the sandbox whole, and down leaves nothing.
func TestKilledUp(t *testing.T) {
	s := newSandbox(t)
	var steps []string
	for line := range strings.Lines(s.up()) {
		if step := stepOf(line); step != "" {
			steps = append(steps, step)
		}
	}
	s.down()
	const fewest = 10
	if len(steps) < fewest {
		t.Fatalf("up has only the steps %q: the test does not see them all", steps)
	}
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			s := s.in(t)
			s.killUpAfter(step)
			s.down()
			s.killUpAfter(step)
			s.up()
			s.down()
		})
	}
}

// killUpAfter starts up and kills it as soon as it says that a step is done.
func (s *sandbox) killUpAfter(step string) {
	s.T.Helper()
	cmd, out := s.upUntil(step)
	if err := cmd.Process.Kill(); err != nil {
		s.T.Fatal(err)
	}
	text, err := end(cmd, out)
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		s.T.Fatalf("up was not killed but ended: %v\n%s", err, text)
	}
}

// upUntil starts up and returns when it says that a step is done, with the rest of what it prints.
func (s *sandbox) upUntil(step string) (*exec.Cmd, *bufio.Reader) {
	s.T.Helper()
	cmd := s.Command(s.T.Context(), "up")
	pipe, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.T.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	printed := ""
	for {
		line, err := out.ReadString('\n')
		printed += line
		if stepOf(line) == step {
			return cmd, out
		}
		if err != nil {
			_ = cmd.Wait() // The test fails anyway.
			s.T.Fatalf("up ended before the step %q: %v\n%s", step, err, printed)
		}
	}
}

// end waits for a command that was told to end, and returns what it still printed.
func end(cmd *exec.Cmd, out io.Reader) (string, error) {
	rest, _ := io.ReadAll(out) // Killed or not, the command closes its end.
	return string(rest), cmd.Wait()
}

// stepOf is the step that a line of up's progress says is done, or "".
func stepOf(line string) string {
	const width = 34
	rest, found := strings.CutPrefix(line, " ✓ ")
	if !found || len(rest) < width {
		return ""
	}
	return strings.TrimSpace(rest[:width])
}

// TestInterruptedUp sends what Ctrl-C and the end of a CI job send: up ends soon and with an error, and the next one works.
func TestInterruptedUp(t *testing.T) {
	const patience = 2 * time.Second
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		for _, step := range []string{"kind of cluster", "ports, certificates", "control plane", "operator"} {
			t.Run(signal.String()+" after "+step, func(t *testing.T) {
				s := newSandbox(t)
				cmd, out := s.upUntil(step)
				start := time.Now()
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				text, err := end(cmd, out)
				if err == nil || cmd.ProcessState.ExitCode() != 1 {
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
