package embedded

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// TestReadOnlyFolderAsRoot has the state folder on a read-only file system: from the start, and
// after a reboot.
func TestReadOnlyFolderAsRoot(t *testing.T) {
	mounted := mount(t, "size=1g")
	s := sandboxIn(t, filepath.Join(mounted, "state"))
	s.remount(mounted, "ro")
	remedy := []string{"read-only file system", "choose another folder with --state-dir", s.Dir}
	s.WantRefusal(nil, []string{"up"}, remedy...)
	s.wantNoProcess()
	s.remount(mounted, "rw")
	s.up()

	before := s.record()
	s.killAll()
	s.remount(mounted, "ro")
	s.WantRefusal(nil, []string{"up"}, remedy...)
	s.WantRefusal(nil, []string{"down"}, "read-only file system")
	if status, code := s.Status(); code != 1 || status.State == provider.StateUp {
		t.Errorf("status: exit code %d, %+v", code, status)
	}
	s.wantNoProcess()
	s.remount(mounted, "rw")
	if after := s.record(); after != before {
		t.Errorf("record before = %s, now %s", before, after)
	}
	s.up()
	s.wantTrace("writable-again")
}

// TestFullFolderAsRoot has the state folder on a full file system: before the sandbox exists, when
// etcd starts, and while everything runs.
func TestFullFolderAsRoot(t *testing.T) {
	mounted := mount(t, "size=600m")
	s := sandboxIn(t, filepath.Join(mounted, "state"))
	const remedy = "make room there, or choose another folder with --state-dir"
	for _, room := range []int64{0, 16 << 10, 200 << 10, 20 << 20} {
		filler := fill(t, mounted, room)
		s.WantRefusal(nil, []string{"up"}, remedy)
		if room == 0 {
			s.wantNoProcess()
		}
		remove(t, filler)
	}
	s.up()
	filler := fill(t, mounted, 0)
	s.killAll()
	s.WantRefusal(nil, []string{"up"}, remedy)
	remove(t, filler)
	s.up()
	s.wantTrace("room-again")

	fill(t, mounted, 0)
	s.down() // It needs no space.
}

// record returns the text of the sandbox's record.
func (s *sandbox) record() string {
	s.T.Helper()
	data, err := os.ReadFile(filepath.Join(s.Dir, "state.json"))
	if err != nil {
		s.T.Fatal(err)
	}
	return string(data)
}

// mount mounts an empty file system in memory until the test ends, and returns its path.
func mount(t *testing.T, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test mounts a file system; run it as root, or skip it with -skip='AsRoot$'")
	}
	folder := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", options, "tmpfs", folder).CombinedOutput(); err != nil {
		t.Fatalf("mounting a file system of memory: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		//nolint:usetesting // The test's context is already cancelled.
		if out, err := exec.CommandContext(context.Background(), "umount", folder).CombinedOutput(); err != nil {
			t.Errorf("unmounting %s: %v\n%s", folder, err, out)
		}
	})
	return folder
}

// remount makes a file system read-only ("ro") or writable ("rw"). Killed processes can keep files
// open for a moment.
func (s *sandbox) remount(folder, mode string) {
	s.T.Helper()
	s.wait("mount -o remount,"+mode, func() bool {
		return exec.CommandContext(s.T.Context(), "mount", "-o", "remount,"+mode, folder).Run() == nil
	})
	if mode == "ro" {
		s.T.Cleanup(func() { // Before the sandbox is removed.
			if out, err := exec.CommandContext(context.Background(), "mount", "-o", "remount,rw", folder).CombinedOutput(); err != nil {
				s.T.Errorf("making %s writable again: %v\n%s", folder, err, out)
			}
		})
	}
}

// fill writes a file until a file system has at most the given space, and returns its path.
func fill(t *testing.T, folder string, room int64) string {
	t.Helper()
	path := filepath.Join(folder, "filler")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err == nil {
		err = file.Truncate(info.Size() - room)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestStateOfAnOlderVersion uses the record of the first releases, which supported only kind. The
// engine is a script without a cluster.
func TestStateOfAnOlderVersion(t *testing.T) {
	const old = `{"name": "faults", "provider": "docker", "images": "registry", "nodeImage": "kindest/node:v1.37.2", "ports": {"ui": 16686, "query": 16685, "otlpGRPC": 4317, "otlpHTTP": 4318, "thrift": 14268}}`
	calls := filepath.Join(t.TempDir(), "calls")
	path := pathWith(t, map[string]string{"docker": `echo "$*" >> '` + calls + `'`})
	s := newSandbox(t, "PATH="+path)
	s.writeRecord(old)
	status, code := s.Status()
	if code != 1 || status.State != provider.StateDown || status.Cluster != "kind" || status.Provider != "docker" {
		t.Errorf("status: exit code %d, %+v", code, status)
	}
	s.WantRefusal(nil, []string{"up"}, "it is kind, not embedded", "take it down first")
	s.down()
	if asked, err := os.ReadFile(calls); err != nil || !strings.Contains(string(asked), "faults") {
		t.Errorf("down did not ask the engine for the cluster: %v\n%s", err, asked)
	}
	s.up()
}

// TestStateOfANewerVersion uses the record of a later version, which no command may change.
func TestStateOfANewerVersion(t *testing.T) {
	const later = `{"format": 99, "name": "faults", "cluster": "embedded"}`
	s := newSandbox(t)
	s.writeRecord(later)
	t.Cleanup(func() { remove(t, filepath.Join(s.Dir, "state.json")) }) // Otherwise down refuses it, too.
	for _, command := range []string{"up", "down", "status", "env", "logs"} {
		s.WantRefusal(nil, []string{command}, "newer", "format 99", "--name")
	}
	if s.record() != later {
		t.Errorf("the record was changed: %s", s.record())
	}
	s.wantNoProcess()
}

// TestBrokenState uses an invalid record.
func TestBrokenState(t *testing.T) {
	s := newSandbox(t)
	s.up()
	s.writeRecord(`{"format": 1, "na`)
	for _, command := range []string{"up", "down", "status"} {
		s.WantRefusal(nil, []string{command}, s.Dir+"/state.json", "remove the file")
	}
	remove(t, s.Dir+"/state.json")
	s.up()
}

func (s *sandbox) writeRecord(record string) {
	s.T.Helper()
	err := os.MkdirAll(s.Dir, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.Dir, "state.json"), []byte(record), 0o600)
	}
	if err != nil {
		s.T.Fatal(err)
	}
}
