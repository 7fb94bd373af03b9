package process

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

func TestStrays(t *testing.T) {
	table := newTable(t)
	ensure(t, table, spec(t, table, "serve")) // Has a record.
	with := func(args ...string) Spec {
		s := spec(t, table, "serve")
		s.Args = args
		return s
	}
	launch(t, with("--state="+table.Mark+"2"), true)                       // A neighbour's.
	launch(t, with("--state="+filepath.Dir(table.Mark)), true)             // Of the folder above.
	launch(t, with("--state="+table.Mark, "by hand"), false)               // Leads no session.
	stray := launch(t, with("--config", table.Mark+"/components/x"), true) // The one.

	other := table
	other.Programs = filepath.Join(table.Programs, "below")
	if strays, err := other.Strays(t.Context()); err != nil || len(strays) > 0 {
		t.Errorf("of programs elsewhere: %+v, %v", strays, err)
	}

	strays, err := table.Strays(t.Context())
	if err != nil || len(strays) != 1 || strays[0].PID != stray.Process.Pid {
		t.Fatalf("strays %+v, %v; want process %d", strays, err, stray.Process.Pid)
	}
	p := strays[0]
	if p.Name != filepath.Base(program(t)) || p.Spec.Path != program(t) || len(p.Spec.Args) != 2 {
		t.Errorf("it is %+v", p)
	}
	if age := time.Since(p.Started); age < -time.Minute || age > time.Hour {
		t.Errorf("it was started %s ago", age)
	}
	if err := p.Stop(t.Context()); err != nil || alive(t, p.PID) {
		t.Errorf("stopping it: %v, alive %t", err, alive(t, p.PID))
	}
	if strays, err := table.Strays(t.Context()); err != nil || len(strays) > 0 {
		t.Errorf("then: %+v, %v", strays, err)
	}
}

func TestStraysNeedsToKnowWhoseTheyAre(t *testing.T) {
	for _, table := range []Table{{}, {Mark: "/a"}, {Programs: "/a"}, {Mark: "a", Programs: "/a"}} {
		if _, err := table.Strays(t.Context()); err == nil {
			t.Errorf("no error with %+v", table)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newTable(t).Strays(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

func TestNamesPath(t *testing.T) {
	for arg, want := range map[string]bool{
		"/s/a": true, "/s/a/": true, "/s/a/x": true, "--x=/s/a": true, "--x=/s/a/y": true, "--x=k:/s/a,l": true, "/s/b,/s/a": true,
		"unix:///s/a/socket": true, "/s/ab:/s/a": true, "/s/a:/s/b": true,
		"": false, "/s": false, "/s/ab": false, "--x=/s/ab/c": false, "/t/s/a": false, "/t/s/a/x": false, "x/s/a": false, "/s/a.old": false,
		"/s/a b": false,
	} {
		if got := namesPath(arg, "/s/a"); got != want {
			t.Errorf("%q: %t", arg, got)
		}
	}
}
