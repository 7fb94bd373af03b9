package ui

import (
	"fmt"
	"io"
	"strings"
)

// Screen is the alternate screen of a terminal. Each Draw replaces its whole content. Close
// restores the previous content of the terminal. A Screen is not safe for concurrent use.
type Screen struct {
	out  io.Writer
	size func() (columns, rows int)
}

// OpenScreen switches a [Drawable] output to its alternate screen.
func OpenScreen(out io.Writer) (*Screen, error) {
	out = Raw(out)
	s := &Screen{out: out, size: func() (int, int) { return Size(out) }}
	_, err := io.WriteString(out, "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J")
	return s, err
}

// Draw replaces the content of the screen. The text must be escaped. No line may be wider than the terminal. If there are
// more lines than rows, the last row has the number of hidden lines.
func (s *Screen) Draw(text string) error {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if _, rows := s.size(); rows > 1 && len(lines) > rows {
		hidden := len(lines) - rows + 1
		lines = append(lines[:rows-1:rows-1], fmt.Sprintf("… %d more lines (printed at the end)", hidden))
	}
	// Overwrite the old lines, then erase the rest. Erasing first would flicker.
	_, err := io.WriteString(s.out, "\x1b[H"+strings.Join(lines, "\x1b[K\n")+"\x1b[K\x1b[J")
	return err
}

// Close restores the previous content of the terminal.
func (s *Screen) Close() error {
	_, err := io.WriteString(s.out, "\x1b[?25h\x1b[?1049l")
	return err
}
