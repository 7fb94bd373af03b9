package process

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestStrays(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	ensure(t, table, spec(t, table, "serve")) // Has a record.
	with := func(args ...string) Spec {
		s := spec(t, table, "serve")
		s.Args = args
		return s
	}
	launch(t, with("--state="+table.Mark+"2"), true)                       // Belongs to another sandbox.
	launch(t, with("--state="+filepath.Dir(table.Mark)), true)             // Names the parent folder.
	launch(t, with("--state="+table.Mark, "by hand"), false)               // Does not lead a session.
	stray := launch(t, with("--config", table.Mark+"/components/x"), true) // A stray.

	other := table
	other.Programs = filepath.Join(table.Programs, "below")
	if strays, err := other.Strays(t.Context()); err != nil || len(strays) > 0 {
		t.Errorf("Strays with another Programs folder = %+v, %v, want none", strays, err)
	}

	strays, err := table.Strays(t.Context())
	if err != nil || len(strays) != 1 || strays[0].PID != stray.Process.Pid {
		t.Fatalf("Strays = %+v, %v, want process %d", strays, err, stray.Process.Pid)
	}
	p := strays[0]
	if p.Name != filepath.Base(program(t)) || p.Spec.Path != program(t) || len(p.Spec.Args) != 2 {
		t.Errorf("got stray %+v", p)
	}
	if age := time.Since(p.Started); age < -time.Minute || age > time.Hour {
		t.Errorf("stray started %s ago", age)
	}
	if err := p.Stop(t.Context()); err != nil || alive(t, p.PID) {
		t.Errorf("Stop: got error %v, alive %t", err, alive(t, p.PID))
	}
	if strays, err := table.Strays(t.Context()); err != nil || len(strays) > 0 {
		t.Errorf("Strays after Stop = %+v, %v, want none", strays, err)
	}
}

func TestStraysNeedsMarkAndPrograms(t *testing.T) {
	t.Parallel()
	for _, table := range []Table{{}, {Mark: "/a"}, {Programs: "/a"}, {Mark: "a", Programs: "/a"}} {
		if _, err := table.Strays(t.Context()); err == nil {
			t.Errorf("%+v.Strays: got no error", table)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newTable(t).Strays(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Strays with a cancelled context: got error %v", err)
	}
}

func TestNamesPath(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]bool{
		"/s/a": true, "/s/a/": true, "/s/a/x": true, "--x=/s/a": true, "--x=/s/a/y": true, "--x=k:/s/a,l": true, "/s/b,/s/a": true,
		"unix:///s/a/socket": true, "/s/ab:/s/a": true, "/s/a:/s/b": true,
		"": false, "/s": false, "/s/ab": false, "--x=/s/ab/c": false, "/t/s/a": false, "/t/s/a/x": false, "x/s/a": false, "/s/a.old": false,
		"/s/a b": false,
	} {
		if got := naming("/s/a").MatchString(arg); got != want {
			t.Errorf("naming(/s/a).MatchString(%q) = %t, want %t", arg, got, want)
		}
	}
}

func TestRunning(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	ensure(t, table, spec(t, table, "serve"))
	path := program(t)
	for folder, want := range map[string]bool{
		filepath.Dir(path): true, filepath.Dir(path) + "/": true, path: false, filepath.Join(filepath.Dir(path), "below"): false,
		filepath.Dir(path)[:len(filepath.Dir(path))-1]: false,
	} {
		found, err := Running(folder)
		if err != nil || slices.Contains(found, path) != want {
			t.Errorf("Running(%s) = %q, %v; want this program in it: %t", folder, found, err, want)
		}
	}
}
