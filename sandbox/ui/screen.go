package ui

import (
	"fmt"
	"io"
	"strings"
)

// Screen is a terminal's second page, which is drawn on as a whole again and again. What was on the terminal is back when it
// is closed. It is for one goroutine.
type Screen struct {
	out  io.Writer
	size func() (columns, rows int)
}

// OpenScreen turns to the second page of an output that is [Drawable]. Close turns back.
func OpenScreen(out io.Writer) (*Screen, error) {
	s := &Screen{out: out, size: func() (int, int) { return Size(out) }}
	_, err := io.WriteString(out, "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J")
	return s, err
}

// Draw replaces what is drawn. The lines must be no wider than the terminal. Where there are more of them than it has rows,
// the last row says how many are missing.
func (s *Screen) Draw(text string) error {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if _, rows := s.size(); rows > 1 && len(lines) > rows {
		missing := len(lines) - rows + 1
		lines = append(lines[:rows-1:rows-1], fmt.Sprintf("… and %d more lines, which are printed at the end", missing))
	}
	// Line by line over the old ones, and then what is left of those: nothing flickers.
	_, err := io.WriteString(s.out, "\x1b[H"+strings.Join(lines, "\x1b[K\n")+"\x1b[K\x1b[J")
	return err
}

// Close turns back to what was on the terminal before.
func (s *Screen) Close() error {
	_, err := io.WriteString(s.out, "\x1b[?25h\x1b[?1049l")
	return err
}
