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

func TestALargeLogIsPutAside(t *testing.T) {
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
		t.Errorf("the new log has %q", got)
	}
	if info, err := os.Stat(table.LogPath("one") + ".1"); err != nil || info.Size() != maxLog+1 {
		t.Errorf("the old log is %+v, %v", info, err)
	}
}

func TestASmallLogIsContinuedAndMadeTheUsersAlone(t *testing.T) {
	table := newTable(t)
	if err := os.MkdirAll(table.Logs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table.LogPath("one"), []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, _ := ensure(t, table, spec(t, table, "serve"))
	if got := table.Tail("one", -1); got != "old\nserving" || p.logStart != 4 {
		t.Errorf("the log has %q, the new part begins at %d", got, p.logStart)
	}
	if info, err := os.Stat(table.LogPath("one")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestALogCanBeReadWhateverTheUmask(t *testing.T) {
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
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestTail(t *testing.T) {
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
			t.Errorf("%s: %d bytes %.50q, want %d bytes %.50q", name, len(got), got, len(c.want), c.want)
		}
	}
	if got := table.Tail("other", 5); got != "" {
		t.Errorf("of no log: %q", got)
	}
	if err := os.WriteFile(table.LogPath("one"), []byte("emptied\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tail(table.LogPath("one"), 1000, 5); got != "emptied" {
		t.Errorf("from behind the end: %q", got)
	}
}

func TestFollowWithoutWaiting(t *testing.T) {
	table := newTable(t)
	var out bytes.Buffer
	if err := table.Follow(t.Context(), &out, "one", 5, false); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "the log of one") {
		t.Errorf("of no log: %v", err)
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
			t.Errorf("%d lines: %d bytes, want %d; %v", lines, out.Len(), len(want), err)
		}
	}
}

// shared is a buffer that is written and read at once.
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

// follow follows the log of one until the function that it returns is called.
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

func TestFollowGoesOnInTheNextLog(t *testing.T) {
	table := newTable(t)
	out, end := follow(t, table, 5)
	defer end()
	shows := func(want string) {
		t.Helper()
		eventually(t, "it shows "+want, func() bool { return out.String() == want })
	}
	ensure(t, table, spec(t, table, "serve")) // Makes the log.
	shows("serving\n")
	if err := table.Stop(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	shows("serving\ntold to end\n")

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
	shows("serving\ntold to end\nlate\n")
	ensure(t, table, spec(t, table, "serve")) // Makes the next.
	shows("serving\ntold to end\nlate\nserving\n")

	if err := os.Truncate(table.LogPath("one"), 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the follower saw the empty log", func() bool {
		// It is written to anew each time, as only what comes after the follower looked tells.
		if err := os.Truncate(table.LogPath("one"), 0); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(table.LogPath("one"), []byte("short\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return strings.HasSuffix(out.String(), "serving\nshort\n")
	})
}

func TestFollowBeginsWithTheLastLines(t *testing.T) {
	table := newTable(t)
	if err := os.MkdirAll(table.Logs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table.LogPath("one"), []byte("a\nb\nc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, end := follow(t, table, 1)
	eventually(t, "it shows the last line", func() bool { return out.String() == "c\n" })
	end()
}

// failing is where nobody reads any more.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestFollowEndsWhenNobodyReads(t *testing.T) {
	table := newTable(t)
	ensure(t, table, spec(t, table, "serve"))
	if err := table.Follow(t.Context(), failing{}, "one", 1, true); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("error %v", err)
	}
}
