package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// followPoll is how often a log that is followed is looked at.
const followPoll = 100 * time.Millisecond

// Follow copies the last lines of a log to out, all of it for a negative number, and with follow also what is written until
// ctx ends; then it returns nil. It goes on in the new log when that takes the old one's place, and waits for one that does
// not exist yet; without follow a missing log is an error that wraps fs.ErrNotExist. Writing to out is not interrupted by ctx.
func (t Table) Follow(ctx context.Context, out io.Writer, name string, lines int, follow bool) error {
	if err := checkName(name); err != nil {
		return err
	}
	f := follower{path: t.LogPath(name), out: out}
	defer f.close()
	err := f.begin(lines)
	if follow && errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && follow {
		err = f.goOn(ctx)
	}
	if err != nil {
		return fmt.Errorf("reading the log of %s: %w", name, err)
	}
	return nil
}

// follower copies a log that may be replaced meanwhile.
type follower struct {
	path   string
	out    io.Writer
	file   *os.File // nil while there is none
	offset int64    // how much of file was copied
}

// begin copies the last lines of the log.
func (f *follower) begin(lines int) error {
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

// goOn copies what is new until ctx ends.
func (f *follower) goOn(ctx context.Context) error {
	tick := time.NewTicker(followPoll)
	defer tick.Stop()
	for {
		if err := f.step(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// step copies what is new now. Whether there is a new log is asked before the old one is read to its end: after the rename nobody
// writes to that any more.
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
			f.offset = 0 // Somebody emptied it.
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
		return nil // Put aside again already; its successor comes.
	}
	if err != nil {
		return err
	}
	f.close()
	f.file, f.offset = next, 0
	return f.copy()
}

// copy writes the rest of the file to out.
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
