package ui

import (
	"bytes"
	"os"
	"testing"
)

func TestColored(t *testing.T) {
	if Colored(&bytes.Buffer{}) {
		t.Error("Colored(buffer) = true, want false")
	}
	if columns, rows := Size(&bytes.Buffer{}); columns != 0 || rows != 0 {
		t.Errorf("Size(buffer) = %d, %d; want zeros", columns, rows)
	}
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, file) })
	if Colored(file) {
		t.Error("Colored(file) = true, want false")
	}
	if columns, rows := Size(file); columns != 0 || rows != 0 {
		t.Errorf("Size(file) = %d, %d; want zeros", columns, rows)
	}
	if terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err == nil {
		t.Cleanup(func() { closed(t, terminal) })
		t.Setenv("TERM", "xterm")
		t.Setenv("NO_COLOR", "")
		if !Colored(terminal) {
			t.Error("Colored(terminal) = false, want true")
		}
		t.Setenv("NO_COLOR", "1")
		if Colored(terminal) {
			t.Error("Colored(terminal) with NO_COLOR = true, want false")
		}
	}
}

func closed(t *testing.T, file *os.File) {
	t.Helper()
	if err := file.Close(); err != nil {
		t.Errorf("closing %s: %v", file.Name(), err)
	}
}
