package ui

import (
	"bytes"
	"errors"
	"testing"
)

func TestScreen(t *testing.T) {
	var out bytes.Buffer
	s, err := OpenScreen(&out)
	if err != nil {
		t.Fatal(err)
	}
	rows := 3
	s.size = func() (int, int) { return 80, rows }
	for _, step := range []struct {
		rows       int
		text, want string
	}{
		{3, "one\ntwo\n", "\x1b[Hone\x1b[K\ntwo\x1b[K\x1b[J"},
		{3, "one\ntwo\nthree", "\x1b[Hone\x1b[K\ntwo\x1b[K\nthree\x1b[K\x1b[J"},
		{3, "one\ntwo\nthree\nfour\n", "\x1b[Hone\x1b[K\ntwo\x1b[K\n… 2 more lines (printed at the end)\x1b[K\x1b[J"},
		{0, "one\ntwo\n", "\x1b[Hone\x1b[K\ntwo\x1b[K\x1b[J"}, // The size of the terminal is unknown.
	} {
		rows = step.rows
		out.Reset()
		if err := s.Draw(step.text); err != nil || out.String() != step.want {
			t.Errorf("Draw(%q) on %d rows wrote %q, %v; want %q", step.text, step.rows, out.String(), err, step.want)
		}
	}
	out.Reset()
	if err := s.Close(); err != nil || out.String() != "\x1b[?25h\x1b[?1049l" {
		t.Errorf("Close wrote %q, %v; want the sequences that restore the terminal", out.String(), err)
	}
	broken := errors.New("gone")
	if _, err := OpenScreen(failing{broken}); !errors.Is(err, broken) {
		t.Errorf("OpenScreen = %v, want %v", err, broken)
	}
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }
