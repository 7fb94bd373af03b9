package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
)

const (
	// maxLog is the size in bytes above which a log is rotated when its process starts.
	maxLog = 10 << 20
	// maxTail is the maximum number of bytes that Tail reads.
	maxTail = 64 << 10
)

// LogPath returns the path of the log of the process called name. The rotated log has the same path
// with ".1" appended.
func (t Table) LogPath(name string) string { return filepath.Join(t.Logs, name+".log") }

func (t Table) openLog(name string) (*os.File, int64, error) {
	path := t.LogPath(name)
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, err
		}
	}
	log, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, err
	}
	info, err := log.Stat()
	if err == nil && info.Mode().Perm() != 0o600 { // Because of the umask, or because the file existed.
		err = log.Chmod(0o600)
	}
	if err != nil {
		_ = log.Close() // Nothing was written.
		return nil, 0, err
	}
	return log, info.Size(), nil
}

// Tail returns the last lines of a log without the final newline: at most the given number of lines
// (all if negative) and at most 64 KiB. It returns an empty string if the log cannot be read.
func (t Table) Tail(name string, lines int) string {
	if checkName(name) != nil {
		return ""
	}
	return tail(t.LogPath(name), 0, lines)
}

// tail returns the last lines of a file after the offset from.
func tail(path string, from int64, lines int) string {
	var out strings.Builder
	if err := copyLines(&out, path, from, 0, maxTail, lines); err != nil {
		return ""
	}
	return strings.TrimRight(out.String(), "\n")
}

// copyLines copies to out the last lines between two offsets of a file, limited to a number of bytes.
// An offset of 0 or behind the end has no effect: in the latter case the file was truncated.
func copyLines(out io.Writer, path string, from, end, limit int64, lines int) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // It was only read.
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if from > info.Size() {
		from = 0
	}
	if end == 0 || end > info.Size() {
		end = info.Size()
	}
	start, err := lastLines(file, max(from, end-limit), end, lines)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.NewSectionReader(file, start, end-start))
	return err
}

// lastLines returns the offset of the last lines of a file that ends at end, but at least from. A
// negative number means all lines.
func lastLines(file io.ReaderAt, from, end int64, lines int) (int64, error) {
	if lines < 0 {
		return from, nil
	}
	if lines == 0 {
		return end, nil
	}
	block := make([]byte, 32<<10)
	newlines := 0
	for position := end; position > from; {
		size := min(int64(len(block)), position-from)
		position -= size
		part := block[:size]
		if _, err := file.ReadAt(part, position); err != nil {
			return 0, err
		}
		for i := bytes.LastIndexByte(part, '\n'); i >= 0; i = bytes.LastIndexByte(part[:i], '\n') {
			if position+int64(i)+1 == end {
				continue // The newline of the last line.
			}
			if newlines++; newlines == lines {
				return position + int64(i) + 1, nil
			}
		}
	}
	return from, nil
}

// Previous copies to out the last lines of the log of the previous process: the part of the log
// before the last start. A negative number means all lines. The error wraps fs.ErrNotExist if the
// previous process does not exist.
func (t Table) Previous(out io.Writer, name string, lines int) error {
	if err := checkName(name); err != nil {
		return err
	}
	err := t.previous(out, name, lines)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("no previous process: %w", fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("reading the log of the previous %s: %w", name, err)
	}
	return nil
}

func (t Table) previous(out io.Writer, name string, lines int) error {
	r, err := t.load(name)
	if err != nil {
		return err
	}
	if r != nil && r.LogStart > 0 {
		return copyLines(out, t.LogPath(name), 0, r.LogStart, math.MaxInt64, lines)
	}
	// Rotated at the last start, or absent.
	return copyLines(out, t.LogPath(name)+".1", 0, 0, math.MaxInt64, lines)
}
