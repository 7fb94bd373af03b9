package process

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

func TestPrevious(t *testing.T) {
	table := newTable(t)
	previous := func(lines int) (string, error) {
		var out strings.Builder
		err := table.Previous(&out, "one", lines)
		return out.String(), err
	}
	if _, err := previous(-1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing ever ran: %v", err)
	}
	ensure(t, table, spec(t, table, "serve"))
	if got, err := previous(-1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("only one ran: %q, %v", got, err)
	}
	if err := table.Stop(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table.LogPath("one"), []byte("first\nsecond\nthird\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ensure(t, table, spec(t, table, "serve"))
	for lines, want := range map[int]string{-1: "first\nsecond\nthird\n", 2: "second\nthird\n", 0: ""} {
		if got, err := previous(lines); got != want || err != nil {
			t.Errorf("%d lines: %q, %v; want %q", lines, got, err, want)
		}
	}
	if err := table.Previous(&strings.Builder{}, "../one", 1); err == nil {
		t.Error("a path was taken for a name")
	}
}

// What was put aside because it was large is what the one before wrote.
func TestPreviousInTheLogThatWasPutAside(t *testing.T) {
	table := newTable(t)
	if err := os.MkdirAll(table.Logs, 0o700); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", maxLog) + "\nlast\n"
	if err := os.WriteFile(table.LogPath("one"), []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	ensure(t, table, spec(t, table, "serve"))
	var out strings.Builder
	if err := table.Previous(&out, "one", 1); err != nil || out.String() != "last\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
