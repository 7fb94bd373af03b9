package embedded

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// TestCorruptedEtcd makes etcd's data unreadable. up moves the data away, reports that, and creates
// a new cluster.
func TestCorruptedEtcd(t *testing.T) {
	for _, c := range []struct {
		name    string
		corrupt func(t *testing.T, data string)
	}{
		{"garbage in the log", func(t *testing.T, data string) { overwrite(t, logOf(t, data), 0, 1<<20) }},
		{"garbage in the database", func(t *testing.T, data string) { overwrite(t, data+"/member/snap/db", 0, 1<<20) }},
		{"empty log", func(t *testing.T, data string) { truncate(t, logOf(t, data), 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSandbox(t)
			s.up()
			s.kill(s.wantWhole()[component.Etcd])
			c.corrupt(t, s.Dir+"/etcd")
			if out := s.up(); !strings.Contains(out, "etcd cannot read its data, which was moved to "+s.Dir+"/etcd.broken") {
				t.Errorf("up does not report that it moved the data:\n%s", out)
			}
			if aside, err := filepath.Glob(s.Dir + "/etcd.broken-*"); err != nil || len(aside) != 1 {
				t.Errorf("moved data = %q, %v", aside, err)
			}
			s.wantTrace("after-corruption")
		})
	}
}

// TestKilledEtcdKeepsItsData kills etcd, and kills it again right after up has restarted it. No
// object is lost.
func TestKilledEtcdKeepsItsData(t *testing.T) {
	s := newSandbox(t)
	s.up()
	s.wantTrace("kept")
	killed := s.wantWhole()[component.Etcd]
	s.kill(killed)
	command := s.Command(t.Context(), "up")
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s.kill(s.waitForEtcd(killed))
	if err := command.Wait(); err != nil {
		t.Fatalf("up: %v\n%s", err, &out)
	}
	s.wantWhole()
	if out, err := s.Run(t.Context(), waitLimit, "trace", "kept"); err != nil {
		t.Errorf("the Head does not exist: %v\n%s", err, out)
	}
	if aside, err := filepath.Glob(s.Dir + "/etcd.broken-*"); err != nil || len(aside) != 0 {
		t.Errorf("correct data was moved: %q, %v", aside, err)
	}
}

// waitForEtcd returns the pid of a new etcd.
func (s *sandbox) waitForEtcd(before int) int {
	s.T.Helper()
	for deadline := time.Now().Add(waitLimit); time.Now().Before(deadline); {
		for pid, command := range s.processes() {
			if program, _, _ := strings.Cut(command, " "); pid != before && filepath.Base(program) == component.Etcd {
				return pid
			}
		}
	}
	s.T.Fatal("up started no etcd")
	return 0
}

// TestDamagedEtcd removes parts of etcd's data that etcd does not need, or needs only later.
// Whatever happens, up ends with a cluster that works.
func TestDamagedEtcd(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, data string)
	}{
		{"log cut short", func(t *testing.T, data string) { truncate(t, logOf(t, data), 100_000) }},
		{"garbage in the middle of the log", func(t *testing.T, data string) { overwrite(t, logOf(t, data), 50_000, 1000) }},
		{"empty database", func(t *testing.T, data string) { truncate(t, data+"/member/snap/db", 0) }},
		{"no database", func(t *testing.T, data string) { remove(t, data+"/member/snap/db") }},
		{"no folder", func(t *testing.T, data string) { remove(t, data) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSandbox(t)
			s.up()
			s.kill(s.wantWhole()[component.Etcd])
			c.damage(t, s.Dir+"/etcd")
			s.up()
			s.wantTrace("after-damage")
		})
	}
}

// logOf returns the file that etcd writes first.
func logOf(t *testing.T, data string) string {
	t.Helper()
	found, err := filepath.Glob(data + "/member/wal/*.wal")
	if err != nil || len(found) == 0 {
		t.Fatalf("finding etcd's log below %s: %v", data, err)
	}
	return found[0]
}

// overwrite writes random bytes to a file.
func overwrite(t *testing.T, path string, at int64, size int) {
	t.Helper()
	garbage := make([]byte, size)
	_, _ = rand.Read(garbage) // It never fails.
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(garbage, at); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}
