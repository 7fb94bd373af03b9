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
)

// Part is one file of an export.
type Part struct {
	// Name is the file's path below the export's folder.
	Name string
	// Get writes the file's content. It is given up when ctx ends, at the latest. An error that wraps ErrNothing leaves the file
	// out and is not complained of.
	Get func(ctx context.Context, out io.Writer) error
}

// ErrNothing says that there is nothing to export: a log that nobody wrote.
var ErrNothing = errors.New("there is nothing to export")

// Limits bound an export.
type Limits struct {
	// File is the most bytes of one file: what is kept is its end. Total is the most of all; what comes later is left out.
	File, Total int
	// Part is the time that one part may take, All that of the whole.
	Part, All time.Duration
}

// Usual are the limits of an export that somebody asked for.
var Usual = Limits{File: 8 << 20, Total: 256 << 20, Part: 15 * time.Second, All: 2 * time.Minute}

// Brief are those of one that nobody asked for, and waits for.
var Brief = Limits{File: 1 << 20, Total: 24 << 20, Part: 4 * time.Second, All: 15 * time.Second}

// IncompleteFile is the file in which an export says what it lacks; there is none where it lacks nothing.
const IncompleteFile = "incomplete.txt"

// Write writes parts into dir, which is made if it is missing, for this user alone, and must be empty. It returns how many
// files it wrote, and what it could not gather. The error is that of the folder: nothing more can be written then.
func Write(ctx context.Context, dir string, parts []Part, hide *Hider, limits Limits) (files int, missing []error, err error) {
	if err := makeEmpty(dir); err != nil {
		return 0, nil, fmt.Errorf("exporting into %s: %w", dir, err)
	}
	limited, cancel := context.WithTimeout(ctx, limits.All)
	defer cancel()
	left := limits.Total
	for _, part := range parts {
		if ctx.Err() != nil {
			return files, missing, ctx.Err() // Whoever waited does so no more.
		}
		content, err := gather(limited, part, limits)
		if err == nil && len(content) > left {
			err = fmt.Errorf("it is left out: the export has reached its limit of %d bytes", limits.Total)
		}
		if err != nil && !errors.Is(err, ErrNothing) {
			missing = append(missing, fmt.Errorf("%s: %w", part.Name, err))
		}
		if err != nil && len(content) == 0 || len(content) > left {
			continue
		}
		content = hide.Hide(content)
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
		err = write(dir, IncompleteFile, hide.Hide([]byte(text.String())))
	}
	return files, missing, err
}

// makeEmpty makes dir; one that has something in it is somebody else's.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = errors.New("it is not empty: name another folder")
	}
	return err
}

// gather gets a part's content. What was written before an error is kept.
func gather(ctx context.Context, part Part, limits Limits) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("not begun: the export has taken %s", limits.All)
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

// endOf keeps the end of what is written.
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
	if e.buffer.Len() > 2*e.most { // Not at every write: moving costs.
		e.buffer.Next(e.buffer.Len() - e.most)
		e.dropped = true
	}
	return written, nil
}

// bytes is the end, from the beginning of a line on where something was dropped.
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
