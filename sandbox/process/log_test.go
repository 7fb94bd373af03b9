package process

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestALargeLogIsRotated(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	if err := os.MkdirAll(table.Logs, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{table.LogPath("one"), table.LogPath("one") + ".1"} {
		if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(table.LogPath("one"), maxLog+1); err != nil {
		t.Fatal(err)
	}
	ensure(t, table, spec(t, table, "serve"))
	if got := table.Tail("one", -1); got != "serving" {
		t.Errorf("new log = %q, want serving", got)
	}
	if info, err := os.Stat(table.LogPath("one") + ".1"); err != nil || info.Size() != maxLog+1 {
		t.Errorf("old log: got %+v, %v", info, err)
	}
}

func TestASmallLogIsAppendedToAndMadePrivate(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	if err := os.MkdirAll(table.Logs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table.LogPath("one"), []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, _ := ensure(t, table, spec(t, table, "serve"))
	if got := table.Tail("one", -1); got != "old\nserving" || p.logStart != 4 {
		t.Errorf("log = %q with the new part at %d, want it at 4", got, p.logStart)
	}
	if info, err := os.Stat(table.LogPath("one")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
}

func TestALogIsReadableWithAnyUmask(t *testing.T) {
	table := newTable(t)
	if err := os.MkdirAll(table.Logs, 0o700); err != nil {
		t.Fatal(err)
	}
	old := syscall.Umask(0o777)
	log, _, err := table.openLog("one")
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if info, err := log.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	if err := os.MkdirAll(table.Logs, 0o700); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat(strings.Repeat("x", 99)+"\n", 1000)
	for name, c := range map[string]struct {
		content string
		lines   int
		want    string
	}{
		"last two":           {"a\nb\nc\n", 2, "b\nc"},
		"no newline yet":     {"a\nb\nc", 2, "b\nc"},
		"fewer":              {"a\n", 5, "a"},
		"exactly":            {"a\nb\n", 2, "a\nb"},
		"all":                {"a\nb\n", -1, "a\nb"},
		"none":               {"a\nb\n", 0, ""},
		"empty":              {"", 5, ""},
		"empty line":         {"a\n\nb\n", 2, "\nb"},
		"more than a block":  {long, 500, strings.TrimSuffix(long[50_000:], "\n")},
		"more than the most": {long, 1000, strings.TrimSuffix(long[len(long)-maxTail:], "\n")},
	} {
		if err := os.WriteFile(table.LogPath("one"), []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := table.Tail("one", c.lines); got != c.want {
			t.Errorf("%s: got %d bytes %.50q, want %d bytes %.50q", name, len(got), got, len(c.want), c.want)
		}
	}
	if got := table.Tail("other", 5); got != "" {
		t.Errorf("without a log: got %q", got)
	}
	if err := os.WriteFile(table.LogPath("one"), []byte("emptied\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tail(table.LogPath("one"), 1000, 5); got != "emptied" {
		t.Errorf("from an offset after the end: got %q", got)
	}
}

func TestFollowWithoutWaiting(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	var out bytes.Buffer
	if err := table.Follow(t.Context(), &out, "one", 5, false); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "the log of one") {
		t.Errorf("without a log: got error %v", err)
	}
	if err := os.MkdirAll(table.Logs, 0o700); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a line\n", 50_000)
	if err := os.WriteFile(table.LogPath("one"), []byte("first\n"+long), 0o600); err != nil {
		t.Fatal(err)
	}
	for lines, want := range map[int]string{-1: "first\n" + long, 0: "", 2: "a line\na line\n", 40_000: long[:40_000*len("a line\n")]} {
		out.Reset()
		if err := table.Follow(t.Context(), &out, "one", lines, false); err != nil || out.String() != want {
			t.Errorf("%d lines: got %d bytes, want %d; error %v", lines, out.Len(), len(want), err)
		}
	}
}

// shared is a buffer for concurrent reads and writes.
type shared struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.buffer.Write(p)
}

func (s *shared) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.buffer.String()
}

// follow follows the log of one until the test calls the returned function.
func follow(t *testing.T, table Table, lines int) (out *shared, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out = &shared{}
	done := make(chan error, 1)
	go func() { done <- table.Follow(ctx, out, "one", lines, true) }()
	return out, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestFollowContinuesInTheNextLog(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	out, end := follow(t, table, 5)
	defer end()
	shows := func(want string) {
		t.Helper()
		eventually(t, "the follower shows "+want, func() bool { return out.String() == want })
	}
	ensure(t, table, spec(t, table, "serve")) // Creates the log.
	shows("serving\n")
	if err := table.Stop(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	shows("serving\nstopping\n")

	log, err := os.OpenFile(table.LogPath("one"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := os.Rename(table.LogPath("one"), table.LogPath("one")+".1"); err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteString("late\n"); err != nil {
		t.Fatal(err)
	}
	shows("serving\nstopping\nlate\n")
	ensure(t, table, spec(t, table, "serve")) // Creates the next log.
	shows("serving\nstopping\nlate\nserving\n")

	if err := os.Truncate(table.LogPath("one"), 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the follower sees the empty log", func() bool {
		// Write again each time: only lines after the follower's check show that it saw the empty
		// log.
		if err := os.Truncate(table.LogPath("one"), 0); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(table.LogPath("one"), []byte("short\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return strings.HasSuffix(out.String(), "serving\nshort\n")
	})
}

func TestFollowStartsWithTheLastLines(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	if err := os.MkdirAll(table.Logs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table.LogPath("one"), []byte("a\nb\nc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, end := follow(t, table, 1)
	eventually(t, "the follower shows the last line", func() bool { return out.String() == "c\n" })
	end()
}

// failing is a pipe whose reader is gone.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestFollowEndsWithAWriteError(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	ensure(t, table, spec(t, table, "serve"))
	if err := table.Follow(t.Context(), failing{}, "one", 1, true); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Follow: got error %v, want EPIPE", err)
	}
}

func TestPrevious(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	previous := func(lines int) (string, error) {
		var out strings.Builder
		err := table.Previous(&out, "one", lines)
		return out.String(), err
	}
	if _, err := previous(-1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the first start: got error %v", err)
	}
	ensure(t, table, spec(t, table, "serve"))
	if got, err := previous(-1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after one start: got %q, %v", got, err)
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
			t.Errorf("Previous(%d lines) = %q, %v, want %q", lines, got, err, want)
		}
	}
	if err := table.Previous(&strings.Builder{}, "../one", 1); err == nil {
		t.Error("Previous(../one): got no error")
	}
}

// A rotated log contains the output of the previous process.
func TestPreviousInARotatedLog(t *testing.T) {
	t.Parallel()
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
		t.Errorf("Previous = %q, %v, want the last line", out.String(), err)
	}
}
