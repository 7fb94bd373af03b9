package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// followPoll is the interval at which Follow reads a log.
const followPoll = 100 * time.Millisecond

// Follow copies the last lines of a log to out; a negative number means all lines. With follow it
// also copies new lines until ctx ends, and then returns nil. It continues with the new log after a
// rotation, and waits for a log that does not exist yet. Without follow, it returns an error that
// wraps fs.ErrNotExist if there is no log. The end of ctx does not interrupt a write to out.
func (t Table) Follow(ctx context.Context, out io.Writer, name string, lines int, follow bool) error {
	if err := checkName(name); err != nil {
		return err
	}
	f := follower{path: t.LogPath(name), out: out}
	defer f.close()
	err := f.first(lines)
	if follow && errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && follow {
		err = wait.PollUntilContextCancel(ctx, followPoll, true, func(context.Context) (bool, error) { return false, f.step() })
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("reading the log of %s: %w", name, err)
	}
	return nil
}

// follower copies a log that may be rotated at any time.
type follower struct {
	path   string
	out    io.Writer
	file   *os.File // nil while the log does not exist
	offset int64    // bytes of file that were copied
}

func (f *follower) first(lines int) error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	f.file = file
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if f.offset, err = lastLines(file, 0, info.Size(), lines); err != nil {
		return err
	}
	return f.copy()
}

// step copies the new lines. It checks for a new log before it reads the old log to its end,
// because no process writes to the old log after the rename.
func (f *follower) step() error {
	now, err := os.Stat(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	exists := err == nil
	replaced := exists
	if f.file != nil {
		held, err := f.file.Stat()
		if err != nil {
			return err
		}
		replaced = exists && !os.SameFile(held, now)
		if held.Size() < f.offset {
			f.offset = 0 // The log was truncated.
		}
		if err := f.copy(); err != nil {
			return err
		}
	}
	if !replaced {
		return nil
	}
	next, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Rotated again; the next log follows.
	}
	if err != nil {
		return err
	}
	f.close()
	f.file, f.offset = next, 0
	return f.copy()
}

func (f *follower) copy() error {
	if _, err := f.file.Seek(f.offset, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(f.out, f.file)
	f.offset += n
	return err
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close() // It was only read.
	}
}
