package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/export/redact"
)

// Part is one file of an export.
type Part struct {
	// Name is the path of the file below the folder of the export.
	Name string
	// Get writes the content of the file. It must return when ctx ends. If its error wraps
	// ErrNothing, Write omits the file and does not report it.
	Get func(ctx context.Context, out io.Writer) error
}

// ErrNothing means that there is nothing to export, for example because a log does not exist.
var ErrNothing = errors.New("nothing to export")

// Limits are the limits of an export.
type Limits struct {
	// File is the maximum number of bytes of one file; Write keeps its end. Total is the maximum of
	// all files; Write omits files above it.
	File, Total int
	// Part is the time limit of one part, All of the whole export.
	Part, All time.Duration
}

// Usual are the limits of an export that the user requested.
var Usual = Limits{File: 8 << 20, Total: 256 << 20, Part: 15 * time.Second, All: 2 * time.Minute}

// Brief are the limits of an automatic export, for which the user has to wait.
var Brief = Limits{File: 1 << 20, Total: 24 << 20, Part: 4 * time.Second, All: 15 * time.Second}

// IncompleteFile is the file with the errors of an export. A complete export does not have it.
const IncompleteFile = "incomplete.txt"

// Write writes parts into dir, which must be empty or missing. It creates dir with access only for
// this user. It returns the number of files and the errors of parts. It returns err and stops if it
// cannot write into the folder, or if ctx ends.
func Write(ctx context.Context, dir string, parts []Part, redactor *redact.Redactor, limits Limits) (files int, missing []error, err error) {
	if err := ensureEmpty(dir); err != nil {
		return 0, nil, fmt.Errorf("exporting into %s: %w", dir, err)
	}
	limited, cancel := context.WithTimeout(ctx, limits.All)
	defer cancel()
	left := limits.Total
	for _, part := range parts {
		if ctx.Err() != nil {
			return files, missing, ctx.Err() // The caller no longer waits.
		}
		content, err := gather(limited, part, limits)
		if err == nil && len(content) > left {
			err = fmt.Errorf("omitted: the export has reached its limit of %d bytes", limits.Total)
		}
		if err != nil && !errors.Is(err, ErrNothing) {
			missing = append(missing, fmt.Errorf("%s: %w", part.Name, err))
		}
		if err != nil && len(content) == 0 || len(content) > left {
			continue
		}
		content = redactor.Hide(content)
		left -= len(content)
		if err := write(dir, part.Name, content); err != nil {
			return files, missing, fmt.Errorf("exporting into %s: %w", dir, err)
		}
		files++
	}
	if len(missing) > 0 {
		var text strings.Builder
		for _, m := range missing {
			fmt.Fprintln(&text, strings.Join(strings.Fields(m.Error()), " "))
		}
		err = write(dir, IncompleteFile, redactor.Hide([]byte(text.String())))
	}
	return files, missing, err
}

func ensureEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = errors.New("folder is not empty; choose another folder")
	}
	return err
}

// gather returns the content of a part. It keeps output before an error.
func gather(ctx context.Context, part Part, limits Limits) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("not started: the export has taken %s", limits.All)
	}
	ctx, cancel := context.WithTimeout(ctx, limits.Part)
	defer cancel()
	end := &endOf{most: limits.File}
	err := part.Get(ctx, end)
	return end.bytes(), err
}

func write(dir, name string, content []byte) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

type endOf struct {
	most    int
	buffer  bytes.Buffer
	dropped bool
}

func (e *endOf) Write(data []byte) (int, error) {
	written := len(data)
	if over := len(data) - e.most; over > 0 {
		data, e.dropped = data[over:], true
	}
	e.buffer.Write(data)
	if e.buffer.Len() > 2*e.most { // Not at every write, because moving is expensive.
		e.buffer.Next(e.buffer.Len() - e.most)
		e.dropped = true
	}
	return written, nil
}

// bytes returns the end. If bytes were dropped, it starts with a full line.
func (e *endOf) bytes() []byte {
	if over := e.buffer.Len() - e.most; over > 0 {
		e.buffer.Next(over)
		e.dropped = true
	}
	content := e.buffer.Bytes()
	if e.dropped {
		content = content[bytes.IndexByte(content, '\n')+1:]
	}
	return content
}
