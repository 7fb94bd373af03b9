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

// Limits of the commands: an up takes some 12 s on a machine with nothing else to do.
const (
	upLimit   = 3 * time.Minute
	downLimit = time.Minute
	// downTime is what down may take: longer is a failure, and only downLimit ends it. What cleans up after a test may take
	// longer.
	downTime = 5 * time.Second
	// waitLimit bounds a wait for what should be so at once.
	waitLimit = 30 * time.Second
)

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard()) // Its client wants one.
	os.Exit(rig.Main(m, "build", "--cluster=embedded"))
}

// sandbox is one sandbox of a test.
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

// remove takes the sandbox down, and fails if that leaves a process.
func (s *sandbox) remove() {
	// The test's own context has ended by now.
	if out, err := s.Run(context.Background(), downLimit, "down"); err != nil {
		s.T.Errorf("removing the sandbox: %v\n%s", err, out)
	}
	for _, pid := range s.wantNoProcess() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // The test has failed already; this machine needs it no more.
	}
}

// down takes the sandbox down, and fails if anything is left of it.
func (s *sandbox) down() {
	s.T.Helper()
	if out, err := s.runDown(s.T.Context()); err != nil {
		s.T.Fatalf("down: %v\n%s", err, out)
	}
	s.wantNoProcess()
	if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
		s.T.Errorf("down left %s: %v", s.Dir, err)
	}
}

// runDown runs down, fails if that takes too long, and returns what it printed.
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

// wantNoProcess fails if a process is left that names the sandbox's folder, and returns those.
func (s *sandbox) wantNoProcess() []int {
	s.T.Helper()
	left := s.processes()
	for pid, command := range left {
		s.T.Errorf("process %d is left: %s", pid, command)
	}
	return slices.Collect(maps.Keys(left))
}

// processes are the command lines of those that name the sandbox's folder.
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

// up brings the sandbox up, fails unless it is whole then, and returns what it printed.
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

// wantWhole fails unless everything runs, once, and returns the processes' ids by their names.
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

// pidsOf are the ids of the processes that run, by their names.
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

// kill ends a process and waits until it is gone.
func (s *sandbox) kill(pid int) {
	s.T.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.T.Fatalf("killing process %d: %v", pid, err)
	}
	s.wait("the end of a killed process", func() bool { _, running := s.processes()[pid]; return !running })
}

// killAll ends all processes, as a reboot does.
func (s *sandbox) killAll() {
	s.T.Helper()
	for pid := range s.processes() {
		s.kill(pid)
	}
}

// wait waits until something is so.
func (s *sandbox) wait(what string, so func() bool) {
	s.T.Helper()
	s.Wait(waitLimit, what, so)
}
