package ui

import (
	"bytes"
	"os"
	"testing"
)

func TestColored(t *testing.T) {
	if Colored(&bytes.Buffer{}) {
		t.Error("a buffer is taken for a terminal")
	}
	if columns, rows := Size(&bytes.Buffer{}); columns != 0 || rows != 0 {
		t.Errorf("a buffer has %d columns and %d rows", columns, rows)
	}
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, file) })
	if Colored(file) {
		t.Error("a file is taken for a terminal")
	}
	if columns, rows := Size(file); columns != 0 || rows != 0 {
		t.Errorf("a file has %d columns and %d rows", columns, rows)
	}
	if terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err == nil {
		t.Cleanup(func() { closed(t, terminal) })
		t.Setenv("TERM", "xterm")
		t.Setenv("NO_COLOR", "")
		if !Colored(terminal) {
			t.Error("a terminal has no colors")
		}
		t.Setenv("NO_COLOR", "1")
		if Colored(terminal) {
			t.Error("NO_COLOR is ignored")
		}
	}
}

func closed(t *testing.T, file *os.File) {
	t.Helper()
	if err := file.Close(); err != nil {
		t.Errorf("closing %s: %v", file.Name(), err)
	}
}
