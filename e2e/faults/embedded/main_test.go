package embedded

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/shirou/gopsutil/v4/process"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// Timeouts of the commands. An up takes about 12 s on an idle machine.
const (
	upLimit   = 3 * time.Minute
	downLimit = time.Minute
	// downTime is the maximum duration of down. A longer run fails the test, and downLimit ends it.
	// The cleanup after a test can take longer.
	downTime = 5 * time.Second
	// waitLimit is the timeout of a wait for a state that should exist immediately.
	waitLimit = 30 * time.Second
)

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard()) // Its client requires one.
	os.Exit(rig.Main(m, "build", "--cluster=embedded"))
}

// sandbox is the sandbox of a test.
type sandbox struct{ *rig.Sandbox }

// newSandbox returns a sandbox that does not exist yet, and removes it when the test ends.
func newSandbox(t *testing.T, env ...string) *sandbox {
	return sandboxIn(t, filepath.Join(t.TempDir(), "state"), env...)
}

func sandboxIn(t *testing.T, dir string, env ...string) *sandbox {
	s := &sandbox{&rig.Sandbox{
		T: t, Name: "faults", Dir: dir,
		// The images that CI names are for kind.
		Env: append([]string{"SANDBOX_CLUSTER=embedded", "SANDBOX_IMAGES="}, env...),
	}}
	t.Cleanup(s.remove)
	return s
}

// remove takes the sandbox down, and fails the test if a process still exists.
func (s *sandbox) remove() {
	// The test's context is already cancelled.
	if out, err := s.Run(context.Background(), downLimit, "down"); err != nil {
		s.T.Errorf("removing the sandbox: %v\n%s", err, out)
	}
	for _, pid := range s.wantNoProcess() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // The test has failed already. Free the machine.
	}
}

// down takes the sandbox down, and fails the test if anything still exists.
func (s *sandbox) down() {
	s.T.Helper()
	if out, err := s.runDown(s.T.Context()); err != nil {
		s.T.Fatalf("down: %v\n%s", err, out)
	}
	s.wantNoProcess()
	if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
		s.T.Errorf("%s still exists after down: %v", s.Dir, err)
	}
}

// runDown runs down, fails the test if that takes too long, and returns its output.
func (s *sandbox) runDown(ctx context.Context) (string, error) {
	s.T.Helper()
	start := time.Now()
	out, err := s.Run(ctx, downLimit, "down")
	took := time.Since(start).Round(10 * time.Millisecond)
	s.T.Logf("down took %s", took)
	if took > downTime {
		s.T.Errorf("down took %s, want at most %s:\n%s", took, downTime, out)
	}
	return out, err
}

// wantNoProcess fails the test if a process names the sandbox's folder, and returns these
// processes.
func (s *sandbox) wantNoProcess() []int {
	s.T.Helper()
	left := s.processes()
	for pid, command := range left {
		s.T.Errorf("process %d still runs: %s", pid, command)
	}
	return slices.Collect(maps.Keys(left))
}

// processes returns the command lines of the processes that name the sandbox's folder.
func (s *sandbox) processes() map[int]string {
	s.T.Helper()
	all, err := process.ProcessesWithContext(context.Background()) // It is called at a test's end, too.
	if err != nil {
		s.T.Fatalf("listing processes: %v", err)
	}
	found := map[int]string{}
	for _, p := range all {
		words, err := p.CmdlineSlice()
		if command := strings.Join(words, " "); err == nil && strings.Contains(command, s.Dir) {
			found[int(p.Pid)] = command
		}
	}
	return found
}

// up starts the sandbox, fails the test unless it is complete, and returns the output.
func (s *sandbox) up() string {
	s.T.Helper()
	start := time.Now()
	out, err := s.Run(s.T.Context(), upLimit, "up")
	if err != nil {
		s.T.Fatalf("up: %v\n%s", err, out)
	}
	s.T.Logf("up took %s", time.Since(start).Round(100*time.Millisecond))
	for _, span := range spans {
		if !strings.Contains(out, span) {
			s.T.Fatalf("up printed a trace without %q:\n%s", span, out)
		}
	}
	s.wantWhole()
	return out
}

// wantWhole fails the test unless every process runs exactly once, and returns the process ids by
// name.
func (s *sandbox) wantWhole() map[string]int {
	s.T.Helper()
	pids := pidsOf(s.WantUp())
	for _, name := range supervised() {
		if pids[name] == 0 {
			s.T.Fatalf("status names no process %s: %v", name, pids)
		}
	}
	if running := s.processes(); len(running) != len(pids) {
		s.T.Fatalf("%d processes run, status names %v:\n%v", len(running), pids, running)
	}
	return pids
}

// pidsOf returns the ids of the running processes by name.
func pidsOf(status provider.Status) map[string]int {
	pids := map[string]int{}
	for _, component := range status.Components {
		for _, p := range component.Processes {
			if p.PID != 0 {
				pids[p.Name] = p.PID
			}
		}
	}
	return pids
}

// kill kills a process and waits for its end.
func (s *sandbox) kill(pid int) {
	s.T.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.T.Fatalf("killing process %d: %v", pid, err)
	}
	s.wait("the end of a killed process", func() bool { _, running := s.processes()[pid]; return !running })
}

// killAll kills all processes, as a reboot does.
func (s *sandbox) killAll() {
	s.T.Helper()
	for pid := range s.processes() {
		s.kill(pid)
	}
}

// wait waits until a condition holds.
func (s *sandbox) wait(what string, so func() bool) {
	s.T.Helper()
	s.Wait(waitLimit, what, so)
}
