package process

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write puts a record in place as it is.
func write(t *testing.T, table Table, r record) {
	t.Helper()
	if err := os.MkdirAll(table.Records, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := table.save(r); err != nil {
		t.Fatal(err)
	}
}

// A command that was killed between the start and the second write left a record like this.
func TestARecordWithoutAPidIsFoundByArguments(t *testing.T) {
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	write(t, table, record{Spec: p.Spec, Started: p.Started})
	found := find(t, table)
	if found == nil || found.PID != p.PID || found.identity != p.identity {
		t.Fatalf("found %+v, want %+v", found, p)
	}
	if q, started := ensure(t, table, p.Spec); started || q.PID != p.PID {
		t.Errorf("started %t, process %d", started, q.PID)
	}
	if r, err := table.load("one"); err != nil || r == nil || r.PID != p.PID || r.Identity != p.identity {
		t.Errorf("the record was not completed: %+v, %v", r, err)
	}
	write(t, table, record{Spec: p.Spec})
	if err := table.Stop(t.Context(), "one"); err != nil || alive(t, p.PID) {
		t.Errorf("stopping it: %v, alive %t", err, alive(t, p.PID))
	}
}

func TestAnotherProgramWithThePidIsAStranger(t *testing.T) {
	for name, other := range map[string]func(*Spec){
		"more":  func(s *Spec) { s.Args = append(s.Args, "more") },
		"fewer": func(s *Spec) { s.Args = s.Args[:len(s.Args)-1] },
		"none":  func(s *Spec) { s.Args = nil },
	} {
		t.Run(name, func(t *testing.T) {
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
			// Even with its true start in the record.
			write(t, table, record{Spec: mine, PID: s.pid, Identity: s.identity})
			if p := find(t, table); p != nil {
				t.Errorf("found %+v", p)
			}
			p, started := ensure(t, table, mine)
			if !started || p.PID == s.pid {
				t.Errorf("started %t, process %d", started, p.PID)
			}
			// Our own runs, and the record names the stranger: our own is found.
			write(t, table, record{Spec: mine, PID: s.pid, Identity: s.identity})
			if found := find(t, table); found == nil || found.PID != p.PID {
				t.Errorf("found %+v, want process %d", found, p.PID)
			}
			if err := table.Stop(t.Context(), "one"); err != nil || alive(t, p.PID) {
				t.Errorf("stopping: %v, alive %t", err, alive(t, p.PID))
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

func TestTheSameCommandRunByHandIsNotOurs(t *testing.T) {
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
			t.Errorf("found %+v", p)
		}
	}
	if err := table.Stop(t.Context(), "one"); err != nil || !alive(t, s.pid) {
		t.Errorf("%v; alive %t", err, alive(t, s.pid))
	}
}

func TestOnlyThisUsersAndNoZombiesAreLive(t *testing.T) {
	self := os.Getuid()
	for want, cases := range map[bool][]seen{
		true:  {{pid: 7, uid: self, session: 7}},
		false: {{pid: 7, uid: self + 1, session: 7}, {pid: 7, uid: self, session: 6}, {pid: 7, uid: self, session: 7, zombie: true}},
	} {
		for _, s := range cases {
			if got := s.live(); got != want {
				t.Errorf("%+v: live %t", s, got)
			}
		}
	}
}

func TestAZombieIsGone(t *testing.T) {
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
		t.Fatal("it was not found while it ran")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is a zombie", func() bool {
		s, err := look(p.PID)
		return err == nil && s != nil && s.zombie
	})
	if p := find(t, table); p != nil {
		t.Errorf("found %+v", p)
	}
	if running, err := p.running(); running || err != nil {
		t.Errorf("running %t, %v", running, err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestABrokenRecordIsNone(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "cut": `{"spec": {"na`, "list": "[]", "null": "null", "other name": `{"spec":{"name":"two","path":"/x"},"pid":1}`,
		"no path": `{"spec":{"name":"one"},"pid":1}`, "negative": `{"spec":{"name":"one","path":"/x"},"pid":-1}`,
	} {
		t.Run(name, func(t *testing.T) {
			table := newTable(t)
			p, _ := ensure(t, table, spec(t, table, "serve"))
			if err := os.WriteFile(table.recordPath("one"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if p := find(t, table); p != nil {
				t.Errorf("found %+v", p)
			}
			strays, err := table.Strays(t.Context())
			if err != nil || len(strays) != 1 || strays[0].PID != p.PID {
				t.Errorf("strays %+v, %v", strays, err)
			}
			if err := table.Stop(t.Context(), "one"); err != nil {
				t.Error(err)
			}
			if names, err := table.Names(); err != nil || len(names) > 0 {
				t.Errorf("the broken record is still there: %q, %v", names, err)
			}
		})
	}
}

func TestARecordUnderAnotherNameIsNone(t *testing.T) {
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	if err := os.Rename(table.recordPath("one"), table.recordPath("two")); err != nil {
		t.Fatal(err)
	}
	if p, err := table.Find("two"); p != nil || err != nil {
		t.Errorf("found %+v, %v", p, err)
	}
	if strays, err := table.Strays(t.Context()); err != nil || len(strays) != 1 || strays[0].PID != p.PID {
		t.Errorf("strays %+v, %v", strays, err)
	}
}

func TestARecordThatCannotBeWrittenIsNamedAndNothingRuns(t *testing.T) {
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
			table := newTable(t)
			path := spoil(t, &table)
			_, started, err := table.Ensure(t.Context(), spec(t, table, "serve"))
			if err == nil || started || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "one") {
				t.Errorf("started %t, error %v; want one that names %s", started, err, path)
			}
			nothingRuns(t, table)
		})
	}
}

func nothingRuns(t *testing.T, table Table) {
	t.Helper()
	if err := each(func(s *seen) {
		if table.marked(s.argv) {
			t.Errorf("runs: %+v", s)
		}
	}); err != nil {
		t.Error(err)
	}
}

func TestAProcessWhosePidCannotBeWrittenDownIsStoppedAgain(t *testing.T) {
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
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "one was stopped again") {
		t.Errorf("error %v", err)
	}
	if len(saved) != 2 || saved[0].PID != 0 || saved[1].PID == 0 || saved[1].Identity == (identity{}) {
		t.Fatalf("written were %+v", saved)
	}
	if s, err := look(saved[1].PID); err != nil || s != nil && s.identity == saved[1].Identity {
		t.Errorf("it still runs, or was not reaped: %+v, %v", s, err)
	}
	if names, err := table.Names(); err != nil || len(names) > 0 {
		t.Errorf("records %q, %v", names, err)
	}
}

func TestAFailedWriteKeepsTheOldRecord(t *testing.T) {
	table := newTable(t)
	old := record{Spec: spec(t, table, "serve"), PID: 1 << 30}
	write(t, table, old)
	if err := os.Mkdir(table.recordPath("one")+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	// The folder is empty, so that the clean-up after the failure removes it.
	changed := old
	changed.PID++
	if err := table.save(changed); err == nil {
		t.Error("no error")
	}
	if r, err := table.load("one"); err != nil || r == nil || r.PID != old.PID {
		t.Errorf("the record is %+v, %v", r, err)
	}
}
