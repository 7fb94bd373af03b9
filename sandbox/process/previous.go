package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Previous copies to out the last lines, all for a negative number, of what was in a log before the process that was started
// last began to write: the end of the one before. The error wraps fs.ErrNotExist where there was none before.
func (t Table) Previous(out io.Writer, name string, lines int) error {
	if err := checkName(name); err != nil {
		return err
	}
	err := t.previous(out, name, lines)
	if err != nil {
		return fmt.Errorf("reading the log of the %s before: %w", name, err)
	}
	return nil
}

func (t Table) previous(out io.Writer, name string, lines int) error {
	r, err := t.load(name)
	if err != nil {
		return err
	}
	path, end := t.LogPath(name), int64(0)
	switch {
	case r != nil && r.LogStart > 0:
		end = r.LogStart
	default: // Put aside when this one was started, or there was none.
		path += ".1"
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there was none: %w", fs.ErrNotExist)
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // It was only read.
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if end == 0 || end > info.Size() {
		end = info.Size()
	}
	start, err := lastLines(file, 0, end, lines)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.NewSectionReader(file, start, end-start))
	return err
}
