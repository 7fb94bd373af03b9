package show

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/operator-tracing/sandbox/sandbox/traces"
)

// terminal opens a pseudo terminal. The function read closes it and returns its output.
func terminal(t *testing.T, columns, rows uint16) (file *os.File, resize func(columns, rows uint16), read func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	file, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	resize = func(columns, rows uint16) {
		if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
			t.Fatal(err)
		}
	}
	resize(columns, rows)
	all := make(chan string)
	go func() {
		data, _ := io.ReadAll(master) // A closed terminal is a read error.
		all <- string(data)
	}()
	return file, resize, func() string {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		text := <-all
		if err := master.Close(); err != nil {
			t.Error(err)
		}
		return text
	}
}

// On a terminal the tree is redrawn in place at the terminal's size, and the last tree stays.
func TestWatchOnATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	out, resize, read := terminal(t, 80, 24)
	names := []string{"admit", "reconcile", "create", "a name that is longer than half of a narrow terminal", "\x1b[2Jlast"}
	follow := func(show func(traces.Look) error) error {
		for _, step := range []func() traces.Look{
			func() traces.Look { return traces.Look{Waiting: strings.Repeat("there is none ", 10)} },
			func() traces.Look { return traces.Look{Trace: growing(t, oneID, names[:2]...), Waiting: "more"} },
			func() traces.Look { return traces.Look{Trace: growing(t, oneID, names[:2]...), Waiting: "more"} }, // Draws nothing.
			func() traces.Look { resize(40, 7); return traces.Look{Trace: growing(t, oneID, names...)} },
		} {
			if err := show(step()); err != nil {
				return err
			}
		}
		return nil
	}
	if err := watchTrace(t.Context(), out, io.Discard, watchOptions{}, func(_ context.Context, show func(traces.Look) error) error { return follow(show) }); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(read(), "\r\n", "\n")
	live, final, found := strings.Cut(text, "\x1b[?25h\x1b[?1049l")
	if !found || !strings.HasPrefix(live, "\x1b[?1049h\x1b[?25l") {
		t.Fatalf("the second page is not opened and closed: %q", text)
	}
	frames := strings.Split(live, "\x1b[H")[2:] // The first clears the page.
	if len(frames) != 3 {
		t.Fatalf("%d frames, want 3: %q", len(frames), frames)
	}
	for i, size := range []struct{ columns, rows int }{{80, 24}, {80, 24}, {40, 7}} {
		frame := strings.ReplaceAll(strings.TrimSuffix(frames[i], "\x1b[J"), "\x1b[K", "")
		lines := strings.Split(frame, "\n")
		if len(lines) > size.rows || strings.Contains(frame, "\x1b") {
			t.Errorf("frame %d has %d lines, want at most %d of text: %q", i, len(lines), size.rows, frame)
		}
		for _, line := range lines {
			if count := len([]rune(line)); count > size.columns && !strings.HasPrefix(line, "… ") {
				t.Errorf("frame %d has a line of %d columns, want at most %d: %q", i, count, size.columns, line)
			}
		}
	}
	if !strings.Contains(frames[2], "complete; press Ctrl-C to exit") || !strings.Contains(frames[2], " more lines") {
		t.Errorf("the last frame is %q", frames[2])
	}
	if !strings.Contains(final, "trace "+oneID) || !strings.Contains(final, `\x1b[2Jlast`) || strings.Contains(final, "\x1b") {
		t.Errorf("after the end, the terminal has %q", final)
	}
}
