package rig

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"syscall"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Steps returns the steps that the output of an up reports as done, in the order in which they
// ended. It omits steps that end at the same time as others: the fetch steps, which only read the
// cache, and all deliver steps except one. It fails the test if it finds fewer steps than any kind
// of cluster has.
func (s *Sandbox) Steps(out string) []string {
	s.T.Helper()
	var steps []string
	for line := range strings.Lines(out) {
		step := StepOf(line)
		_, delivered, _ := strings.Cut(step, "deliver ")
		if step == "" || strings.HasPrefix(step, "fetch ") ||
			delivered != "" && delivered != component.ControlPlane && delivered != component.Operator {
			continue
		}
		steps = append(steps, step)
	}
	const fewest = 10
	if len(steps) < fewest {
		s.T.Fatalf("up has only the steps %q; update the test", steps)
	}
	return steps
}

// StepOf returns the step that a line of up's progress reports as done, or "".
func StepOf(line string) string {
	const width = 34
	rest, found := strings.CutPrefix(line, " ✓ ")
	if !found || len(rest) < width {
		return ""
	}
	return strings.TrimSpace(rest[:width])
}

// KillUpAfter starts up and kills it as soon as it reports that a step is done.
func (s *Sandbox) KillUpAfter(step string) {
	s.T.Helper()
	cmd, out := s.UpUntil(step)
	if err := cmd.Process.Kill(); err != nil {
		s.T.Fatal(err)
	}
	text, err := End(cmd, out)
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		s.T.Fatalf("up was not killed but ended: %v\n%s", err, text)
	}
}

// UpUntil starts up and returns when it reports that a step is done, with the rest of its output.
func (s *Sandbox) UpUntil(step string) (*exec.Cmd, *bufio.Reader) {
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
		if StepOf(line) == step {
			return cmd, out
		}
		if err != nil {
			_ = cmd.Wait() // The test fails anyway.
			s.T.Fatalf("up ended before the step %q: %v\n%s", step, err, printed)
		}
	}
}

// End waits for a command that received a signal, and returns the rest of its output.
func End(cmd *exec.Cmd, out io.Reader) (string, error) {
	rest, _ := io.ReadAll(out) // Killed or not, the command closes its end.
	return string(rest), cmd.Wait()
}
