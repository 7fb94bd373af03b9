package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/operator-tracing/sandbox/sandbox/export/redact"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// text returns a part that writes content and returns err.
func text(name, content string, err error) Part {
	return Part{name, func(_ context.Context, out io.Writer) error {
		_, writeErr := io.WriteString(out, content)
		return errors.Join(writeErr, err)
	}}
}

// files returns the content of the files in a folder by their paths.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path) // Both are absolute.
		found[name] = string(data)
		info, statErr := entry.Info()
		if statErr == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s = %s, want 0600", path, info.Mode())
		}
		return errors.Join(err, statErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var large = Limits{File: 1000, Total: 10_000, Part: time.Minute, All: time.Minute}

func TestWriteReportsFailedParts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "export")
	n, missing, err := Write(t.Context(), dir, []Part{
		text("a.txt", "fine\n", nil),
		text("logs/b.log", "started\n", errors.New("and\nbroken")),
		text("c.txt", "", errors.New("gone")),
		text("d.txt", "", fmt.Errorf("never written: %w", ErrNothing)),
		text("e.txt", "the word is swordfish1\n", nil),
		text("empty.txt", "", nil),
	}, redact.New([]redact.Known{{Value: "swordfish1", Sure: true}}), large)
	if err != nil || n != 4 || len(missing) != 2 {
		t.Errorf("Write = %d files, errors %v, %v", n, missing, err)
	}
	want := map[string]string{
		"a.txt": "fine\n", "logs/b.log": "started\n", "e.txt": "the word is [hidden]\n", "empty.txt": "",
		IncompleteFile: "logs/b.log: and broken\nc.txt: gone\n",
	}
	if diff := cmp.Diff(want, files(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteObservesItsLimits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := strings.Repeat("0123456789\n", 1000)
	slow := Part{"slow.log", func(ctx context.Context, out io.Writer) error {
		_, _ = io.WriteString(out, "before\n")
		<-ctx.Done()
		return ctx.Err()
	}}
	limits := Limits{File: 100, Total: 150, Part: 20 * time.Millisecond, All: time.Minute}
	n, missing, err := Write(t.Context(), dir, []Part{text("long.log", long, nil), slow, text("more.log", long, nil)}, nil, limits)
	if err != nil || n != 2 || len(missing) != 2 {
		t.Errorf("Write = %d files, errors %v, %v", n, missing, err)
	}
	got := files(t, dir)
	if text := got["long.log"]; len(text) > 100 || !strings.HasPrefix(text, "0123456789\n") || !strings.HasSuffix(text, "0123456789\n") {
		t.Errorf("long.log = %q, want the last lines", text)
	}
	if got["slow.log"] != "before\n" || !strings.Contains(got[IncompleteFile], "slow.log: context deadline exceeded") ||
		!strings.Contains(got[IncompleteFile], "more.log: omitted: the export has reached its limit of 150 bytes") {
		t.Errorf("got %q", got)
	}

	limits.All = 30 * time.Millisecond
	other := t.TempDir()
	if _, missing, err = Write(t.Context(), other, []Part{slow, slow, slow, text("late.txt", "x", nil)}, nil, limits); err != nil || len(missing) != 4 {
		t.Errorf("Write: got errors %v, %v, want 4 failed parts", missing, err)
	}
	if got := files(t, other); !strings.Contains(got[IncompleteFile], "late.txt: not started") {
		t.Errorf("got %q", got)
	}
}

func TestWriteEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	parts := []Part{{"a", func(context.Context, io.Writer) error { cancel(); return nil }}, text("b", "x", nil)}
	dir := t.TempDir()
	if _, _, err := Write(ctx, dir, parts, nil, large); !errors.Is(err, context.Canceled) {
		t.Errorf("Write: got error %v", err)
	}
	if _, exists := files(t, dir)["b"]; exists {
		t.Error("Write continued after the end of its context")
	}
}

func TestWriteKeepsExistingFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := Write(t.Context(), dir, []Part{text("mine", "x", nil)}, nil, large)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("Write: got error %v", err)
	}
	if got := files(t, dir); got["mine"] != "precious" {
		t.Errorf("got %q", got)
	}
	if _, _, err := Write(t.Context(), filepath.Join(dir, "mine", "below"), nil, nil, large); err == nil {
		t.Error("Write into a folder below a file: got no error")
	}
}

func TestEndOf(t *testing.T) {
	t.Parallel()
	for _, writes := range [][]string{{"a\nbb\ncc\n"}, {"a\n", "bb\n", "cc\n"}, slices.Collect(func(yield func(string) bool) {
		for _, r := range "long ago\na\nbb\ncc\n" {
			if !yield(string(r)) {
				return
			}
		}
	})} {
		end := &endOf{most: 7}
		for _, w := range writes {
			if n, err := io.WriteString(end, w); n != len(w) || err != nil {
				t.Fatal(n, err)
			}
		}
		if got := string(end.bytes()); got != "bb\ncc\n" {
			t.Errorf("end of %q = %q, want the last two lines", writes, got)
		}
	}
	short := &endOf{most: 7}
	_, _ = io.WriteString(short, "all")
	if got := string(short.bytes()); got != "all" {
		t.Errorf("got %q", got)
	}
}

func TestWriteHidesErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := Part{"a", func(context.Context, io.Writer) error { return errors.New("dial postgres://app:pl4nted@db: refused") }}
	if _, _, err := Write(t.Context(), dir, []Part{broken}, nil, large); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir)[IncompleteFile]; strings.Contains(got, "pl4nted") || !strings.Contains(got, "refused") {
		t.Errorf("%s = %q, want it without the password", IncompleteFile, got)
	}
}
