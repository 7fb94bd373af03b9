package process

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write saves a record.
func write(t *testing.T, table Table, r record) {
	t.Helper()
	if err := os.MkdirAll(table.Records, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := table.save(r); err != nil {
		t.Fatal(err)
	}
}

// A command that is killed between the start and the second write leaves such a record.
func TestARecordWithoutAPidIsFoundByArguments(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	write(t, table, record{Spec: p.Spec, Started: p.Started})
	found := find(t, table)
	if found == nil || found.PID != p.PID || found.identity != p.identity {
		t.Fatalf("Find = %+v, want %+v", found, p)
	}
	if q, started := ensure(t, table, p.Spec); started || q.PID != p.PID {
		t.Errorf("Ensure: got started %t, process %d, want process %d", started, q.PID, p.PID)
	}
	if r, err := table.load("one"); err != nil || r == nil || r.PID != p.PID || r.Identity != p.identity {
		t.Errorf("incomplete record %+v, %v", r, err)
	}
	write(t, table, record{Spec: p.Spec})
	if err := table.Stop(t.Context(), "one"); err != nil || alive(t, p.PID) {
		t.Errorf("Stop: got error %v, alive %t", err, alive(t, p.PID))
	}
}

func TestAnotherProgramWithThePidIsIgnored(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]func(*Spec){
		"more":  func(s *Spec) { s.Args = append(s.Args, "more") },
		"fewer": func(s *Spec) { s.Args = s.Args[:len(s.Args)-1] },
		"none":  func(s *Spec) { s.Args = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := newTable(t)
			mine := spec(t, table, "serve")
			theirs := mine
			theirs.Args = slices.Clone(mine.Args)
			other(&theirs)
			stranger := launch(t, theirs, true)
			s, err := look(stranger.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			// It is ignored even if the record has its start.
			write(t, table, record{Spec: mine, PID: s.pid, Identity: s.identity})
			if p := find(t, table); p != nil {
				t.Errorf("Find = %+v, want nil", p)
			}
			p, started := ensure(t, table, mine)
			if !started || p.PID == s.pid {
				t.Errorf("started %t, process %d", started, p.PID)
			}
			// If the record names the stranger, the sandbox's own process is found by its
			// arguments.
			write(t, table, record{Spec: mine, PID: s.pid, Identity: s.identity})
			if found := find(t, table); found == nil || found.PID != p.PID {
				t.Errorf("Find = %+v, want process %d", found, p.PID)
			}
			if err := table.Stop(t.Context(), "one"); err != nil || alive(t, p.PID) {
				t.Errorf("Stop: got error %v, alive %t", err, alive(t, p.PID))
			}
			write(t, table, record{Spec: mine, PID: s.pid, Identity: s.identity})
			if err := table.Stop(t.Context(), "one"); err != nil {
				t.Error(err)
			}
			if !alive(t, s.pid) {
				t.Error("the stranger was signalled")
			}
		})
	}
}

func TestTheSameCommandRunByHandIsIgnored(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	mine := spec(t, table, "serve")
	byHand := launch(t, mine, false)
	s, err := look(byHand.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []record{{Spec: mine}, {Spec: mine, PID: s.pid, Identity: s.identity}} {
		write(t, table, r)
		if p := find(t, table); p != nil {
			t.Errorf("Find = %+v, want nil", p)
		}
	}
	if err := table.Stop(t.Context(), "one"); err != nil || !alive(t, s.pid) {
		t.Errorf("Stop: got error %v, alive %t", err, alive(t, s.pid))
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	self := os.Getuid()
	for want, cases := range map[bool][]seen{
		true:  {{pid: 7, uid: self, session: 7}},
		false: {{pid: 7, uid: self + 1, session: 7}, {pid: 7, uid: self, session: 6}, {pid: 7, uid: self, session: 7, zombie: true}},
	} {
		for _, s := range cases {
			if got := s.live(); got != want {
				t.Errorf("%+v.live() = %t, want %t", s, got, want)
			}
		}
	}
}

func TestAZombieIsNotRunning(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	mine := spec(t, table, "serve")
	child := launch(t, mine, true)
	s, err := look(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	write(t, table, record{Spec: mine, PID: s.pid, Identity: s.identity})
	p := find(t, table)
	if p == nil {
		t.Fatal("Find: got nil for a running process")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process is a zombie", func() bool {
		s, err := look(p.PID)
		return err == nil && s != nil && s.zombie
	})
	if p := find(t, table); p != nil {
		t.Errorf("Find = %+v, want nil", p)
	}
	if running, err := p.running(); running || err != nil {
		t.Errorf("running = %t, %v, want false", running, err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestABrokenRecordIsIgnored(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty": "", "cut": `{"spec": {"na`, "list": "[]", "null": "null", "other name": `{"spec":{"name":"two","path":"/x"},"pid":1}`,
		"no path": `{"spec":{"name":"one"},"pid":1}`, "negative": `{"spec":{"name":"one","path":"/x"},"pid":-1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := newTable(t)
			p, _ := ensure(t, table, spec(t, table, "serve"))
			if err := os.WriteFile(table.recordPath("one"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if p := find(t, table); p != nil {
				t.Errorf("Find = %+v, want nil", p)
			}
			strays, err := table.Strays(t.Context())
			if err != nil || len(strays) != 1 || strays[0].PID != p.PID {
				t.Errorf("Strays = %+v, %v, want process %d", strays, err, p.PID)
			}
			if err := table.Stop(t.Context(), "one"); err != nil {
				t.Error(err)
			}
			if names, err := table.Names(); err != nil || len(names) > 0 {
				t.Errorf("Names = %q, %v; want the broken record deleted", names, err)
			}
		})
	}
}

func TestARecordUnderAnotherNameIsIgnored(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	if err := os.Rename(table.recordPath("one"), table.recordPath("two")); err != nil {
		t.Fatal(err)
	}
	if p, err := table.Find("two"); p != nil || err != nil {
		t.Errorf("Find = %+v, %v, want nil", p, err)
	}
	if strays, err := table.Strays(t.Context()); err != nil || len(strays) != 1 || strays[0].PID != p.PID {
		t.Errorf("Strays = %+v, %v, want process %d", strays, err, p.PID)
	}
}

func TestAnUnwritableRecordIsReportedAndNothingRuns(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, table *Table) (path string){
		"folder below a file": func(t *testing.T, table *Table) string {
			t.Helper()
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			table.Records = filepath.Join(file, "run")
			return file
		},
		"something in the way": func(t *testing.T, table *Table) string {
			t.Helper()
			path := table.recordPath("one") + ".new"
			if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
				t.Fatal(err)
			}
			return path
		},
		"log in the way": func(t *testing.T, table *Table) string {
			t.Helper()
			if err := os.MkdirAll(table.LogPath("one"), 0o700); err != nil {
				t.Fatal(err)
			}
			return table.LogPath("one")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := newTable(t)
			path := spoil(t, &table)
			_, started, err := table.Ensure(t.Context(), spec(t, table, "serve"))
			if err == nil || started || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "one") {
				t.Errorf("Ensure: got started %t, error %v; want an error that contains %s", started, err, path)
			}
			nothingRuns(t, table)
		})
	}
}

func nothingRuns(t *testing.T, table Table) {
	t.Helper()
	if err := each(func(s *seen) {
		if table.marked(s.argv) {
			t.Errorf("process still runs: %+v", s)
		}
	}); err != nil {
		t.Error(err)
	}
}

func TestAProcessIsStoppedIfItsPidCannotBeSaved(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	full := errors.New("the disk is full")
	var saved []record
	_, err := table.start(spec(t, table, "serve"), func(r record) error {
		saved = append(saved, r)
		if len(saved) == 2 {
			return full
		}
		return table.save(r)
	})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "stopped one again") {
		t.Errorf("start: got error %v, want %v", err, full)
	}
	if len(saved) != 2 || saved[0].PID != 0 || saved[1].PID == 0 || saved[1].Identity == (identity{}) {
		t.Fatalf("saved records: got %+v", saved)
	}
	if s, err := look(saved[1].PID); err != nil || s != nil && s.identity == saved[1].Identity {
		t.Errorf("process still runs or was not reaped: %+v, %v", s, err)
	}
	if names, err := table.Names(); err != nil || len(names) > 0 {
		t.Errorf("Names = %q, %v, want none", names, err)
	}
}

func TestAFailedWriteKeepsTheOldRecord(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	old := record{Spec: spec(t, table, "serve"), PID: 1 << 30}
	write(t, table, old)
	if err := os.Mkdir(table.recordPath("one")+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	// The folder is empty, so the clean-up after the failure deletes it.
	changed := old
	changed.PID++
	if err := table.save(changed); err == nil {
		t.Error("save: got no error")
	}
	if r, err := table.load("one"); err != nil || r == nil || r.PID != old.PID {
		t.Errorf("load = %+v, %v, want the old record", r, err)
	}
}
