package process

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	// maxLog is the size above which a log is put aside when its process starts, in bytes.
	maxLog = 10 << 20
	// maxTail is the most of a log that Tail reads, in bytes.
	maxTail = 64 << 10
)

// LogPath is the log of the process called name. What was in it when it had grown too large is beside it, with ".1" appended.
func (t Table) LogPath(name string) string { return filepath.Join(t.Logs, name+".log") }

// openLog opens a log to be appended to, and returns its size.
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
	if err == nil && info.Mode().Perm() != 0o600 { // The umask took something, or the file was there.
		err = log.Chmod(0o600)
	}
	if err != nil {
		_ = log.Close() // Nothing was written.
		return nil, 0, err
	}
	return log, info.Size(), nil
}

// Tail returns the last lines of a log, without the newline at its end: at most as many as asked for (a negative number is all), and
// at most 64 KiB. It is empty where there is no log that can be read.
func (t Table) Tail(name string, lines int) string {
	if checkName(name) != nil {
		return ""
	}
	return tail(t.LogPath(name), 0, lines)
}

// tail returns the last lines of what a file holds from an offset on.
func tail(path string, from int64, lines int) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }() // It was only read.
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	if from > info.Size() {
		from = 0 // Somebody emptied it.
	}
	start, err := lastLines(file, max(from, info.Size()-maxTail), info.Size(), lines)
	if err != nil {
		return ""
	}
	data, err := io.ReadAll(io.NewSectionReader(file, start, info.Size()-start))
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(data), "\n")
}

// lastLines is where the last lines of a file begin that ends at end, but not before from. A negative number of lines is all.
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
				continue // The last line's own.
			}
			if newlines++; newlines == lines {
				return position + int64(i) + 1, nil
			}
		}
	}
	return from, nil
}
