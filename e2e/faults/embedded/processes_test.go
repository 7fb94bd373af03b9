package embedded

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// TestUpAgainTouchesNothing runs up twice. The processes remain.
func TestUpAgainTouchesNothing(t *testing.T) {
	s := newSandbox(t)
	s.up()
	before := s.wantWhole()
	s.up()
	if diff := cmp.Diff(before, s.wantWhole()); diff != "" {
		t.Errorf("up restarted processes of a healthy sandbox (-before +after):\n%s", diff)
	}
}

// TestKilledProcess kills each process in turn. status names it, and up restarts only that process.
func TestKilledProcess(t *testing.T) {
	s := newSandbox(t)
	s.up()
	for _, name := range supervised() {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			before := s.wantWhole()
			s.kill(before[name])
			s.wantNamed(name)
			s.up()
			s.wantAnew(before, name)
			s.wantTrace("killed-" + name)
		})
	}
}

// supervised returns the names of all processes of a sandbox.
func supervised() []string {
	return append(component.NamesOf(component.ProgramsOn(component.Embedded)), companion.Name)
}

// in returns the sandbox for a subtest. It runs up if the previous subtest left the sandbox broken,
// so that each subtest tests only one fault.
func (s *sandbox) in(t *testing.T) *sandbox {
	t.Helper()
	part := &sandbox{&rig.Sandbox{T: t, Name: s.Name, Dir: s.Dir, Env: s.Env}}
	if status, _ := part.Status(); status.State == provider.StateDegraded {
		t.Log("repairing the state of the previous subtest")
		part.up()
	}
	return part
}

// wantAnew fails the test unless exactly one process was replaced.
func (s *sandbox) wantAnew(before map[string]int, name string) {
	s.T.Helper()
	for other, pid := range s.wantWhole() {
		if changed := pid != before[other]; changed != (other == name) {
			s.T.Errorf("%s: process %d before, %d now: only %s was broken", other, before[other], pid, name)
		}
	}
}

// wantNamed fails the test unless status reports that the process is not running, with the end of
// its log.
func (s *sandbox) wantNamed(name string) {
	s.T.Helper()
	status, code := s.Status()
	if code != 1 || status.State != provider.StateDegraded && status.State != provider.StateDown {
		s.T.Errorf("status: exit code %d, state %q", code, status.State)
	}
	log, err := os.ReadFile(filepath.Join(s.Dir, "logs", name+".log"))
	if err != nil {
		s.T.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	last := lines[len(lines)-1]
	text, err := s.Run(s.T.Context(), rig.AskLimit, "status")
	if err == nil {
		s.T.Errorf("status ended with 0:\n%s", text)
	}
	if want := name + " is not running"; !strings.Contains(text, want) || !strings.Contains(text, strings.TrimSpace(last)) {
		s.T.Errorf("status without %q and the log's last line %q:\n%s", want, last, text)
	}
}

// TestStoppedProcess stops processes with SIGSTOP, so that they hang. up restarts them.
func TestStoppedProcess(t *testing.T) {
	s := newSandbox(t)
	s.up()
	for _, name := range supervised() {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			before := s.wantWhole()
			if err := syscall.Kill(before[name], syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			if status, code := s.Status(); code != 1 {
				t.Errorf("status: exit code %d, state %q", code, status.State)
			}
			s.up()
			s.wantAnew(before, name)
			s.wantTrace("stopped-" + name)
		})
	}
}

// TestStrangersProcess writes another program's process id into the records. That process must
// survive up and down.
func TestStrangersProcess(t *testing.T) {
	for _, c := range []struct {
		name  string
		start bool // The record has the start of the other program, too.
	}{{"process id", false}, {"process id and start", true}} {
		t.Run(c.name, func(t *testing.T) {
			s := newSandbox(t)
			stranger := startStranger(t)
			s.up()
			before := s.wantWhole()
			s.kill(before[component.Operator])
			for _, name := range supervised() {
				s.falsify(name, stranger, c.start)
			}
			s.up()
			s.wantAnew(before, component.Operator)
			s.falsify(component.Kwok, stranger, c.start)
			s.down()
			if err := syscall.Kill(stranger, 0); err != nil {
				t.Errorf("the other program was ended: %v", err)
			}
		})
	}
}

// startStranger starts a program that does not belong to a sandbox, until the test ends, and
// returns its process id.
func startStranger(t *testing.T) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "3600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // As the sandbox's own.
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // The cancellation of the test's context has killed it.
	return cmd.Process.Pid
}

// falsify writes another program's process id into a record.
func (s *sandbox) falsify(name string, stranger int, start bool) {
	s.T.Helper()
	path := filepath.Join(s.Dir, "run", name+".json")
	data, err := os.ReadFile(path)
	if err != nil {
		s.T.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(data, &record); err != nil {
		s.T.Fatal(err)
	}
	record["pid"] = stranger
	if start {
		record["identity"].(map[string]any)["start"] = startOf(s.T, stranger)
	}
	if data, err = json.Marshal(record); err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		s.T.Fatal(err)
	}
}

// startOf returns the start of a process, in the unit of the records: field 22 of proc_pid_stat(5).
func startOf(t *testing.T, pid int) uint64 {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatalf("reading the start of a process: %v; run this test on Linux", err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	start, err := strconv.ParseUint(strings.Fields(rest)[19], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return start
}

// TestFolderRemoved removes the state folder while everything runs. up ends the old processes and
// starts new ones, and down ends them, too.
func TestFolderRemoved(t *testing.T) {
	s := newSandbox(t)
	s.up()
	before := s.wantWhole()
	s.removeFolder()
	s.up()
	for name, pid := range s.wantWhole() {
		if _, old := s.processes()[before[name]]; old || pid == before[name] {
			t.Errorf("%s still runs as process %d", name, before[name])
		}
	}
	s.wantTrace("after-folder")
	s.removeFolder()
	s.down()
}

// removeFolder removes the state folder. Running processes can write into it at the same time.
func (s *sandbox) removeFolder() {
	s.T.Helper()
	s.wait("the state folder's end", func() bool { return os.RemoveAll(s.Dir) == nil })
}
