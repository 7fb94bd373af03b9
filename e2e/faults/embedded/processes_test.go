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

// TestUpAgainTouchesNothing runs up twice: the processes stay the same.
func TestUpAgainTouchesNothing(t *testing.T) {
	s := newSandbox(t)
	s.up()
	before := s.wantWhole()
	s.up()
	if diff := cmp.Diff(before, s.wantWhole()); diff != "" {
		t.Errorf("up started processes of a healthy sandbox anew (-before +after):\n%s", diff)
	}
}

// TestKilledProcess kills each process in turn: status names it, and up brings it back and leaves the others alone.
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

// supervised are the names of all processes of a sandbox.
func supervised() []string {
	return append(component.NamesOf(component.ProgramsOn(component.Embedded)), companion.Name)
}

// in is the sandbox in a part of its test. What the part before could not mend is tried once more, so that each part tests
// only what it says.
func (s *sandbox) in(t *testing.T) *sandbox {
	t.Helper()
	part := &sandbox{&rig.Sandbox{T: t, Name: s.Name, Dir: s.Dir, Env: s.Env}}
	if status, _ := part.Status(); status.State == provider.StateDegraded {
		t.Log("mending what is left broken")
		part.up()
	}
	return part
}

// wantAnew fails unless exactly one process is another than before.
func (s *sandbox) wantAnew(before map[string]int, name string) {
	s.T.Helper()
	for other, pid := range s.wantWhole() {
		if changed := pid != before[other]; changed != (other == name) {
			s.T.Errorf("%s: process %d before, %d now: only %s was broken", other, before[other], pid, name)
		}
	}
}

// wantNamed fails unless status reports that the process is not running, with the end of its log.
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
		s.T.Errorf("status does not say %q with the log's last line %q:\n%s", want, last, text)
	}
}

// TestStoppedProcess stops processes with SIGSTOP, as one that hangs: up starts them anew.
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

// TestStrangersProcess writes another program's process id into the records: it must outlive up and down.
func TestStrangersProcess(t *testing.T) {
	for _, c := range []struct {
		name  string
		start bool // the record has the stranger's start, too
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

// startStranger runs a program that has nothing to do with any sandbox, until the test ends, and returns its process id.
func startStranger(t *testing.T) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "3600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // As the sandbox's own.
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // The end of the test's context has killed it.
	return cmd.Process.Pid
}

// falsify writes a stranger's process id into a record.
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

// startOf is when a process was started, as the records have it: field 22 of proc_pid_stat(5).
func startOf(t *testing.T, pid int) uint64 {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatalf("reading when a process was started: %v: this test knows Linux alone", err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	start, err := strconv.ParseUint(strings.Fields(rest)[19], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return start
}

// TestFolderRemoved removes the state folder while everything runs: up ends the old processes and makes new ones, and down
// ends them too.
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

// removeFolder removes the state folder. What runs may write into it meanwhile.
func (s *sandbox) removeFolder() {
	s.T.Helper()
	s.wait("the state folder's end", func() bool { return os.RemoveAll(s.Dir) == nil })
}
