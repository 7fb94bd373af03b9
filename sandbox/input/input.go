// Package input reads what users name on the command line or in sandbox.yaml: files, folders of
// manifests, and the standard input. All of it can come from other people.
//
// [ReadFile], [Open] and [Read] have a limit in bytes and accept only regular files, so that neither
// a device nor a pipe blocks or fills the memory. [CheckYAML] limits the aliases of YAML. [Disk]
// is the file system for kustomize.
package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// The limits of inputs in bytes.
const (
	// MaxTraces limits a file of traces. It takes several times as much memory to decode.
	MaxTraces = 256 << 20
	// MaxManifest limits a manifest. All definitions of a large operator have about 10 MB.
	MaxManifest = 32 << 20
	// MaxConfig limits files of options, and the records of the sandbox.
	MaxConfig = 4 << 20
)

// ErrTooLarge is the error of inputs above their limit.
var ErrTooLarge = errors.New("too large")

// Open opens a regular file for reading. It returns an error for folders, devices, pipes and
// sockets, without waiting for them.
func Open(path string) (*os.File, error) { return open(path, 0) }

func open(path string, flags int) (*os.File, error) {
	// Without O_NONBLOCK, opening a pipe waits for a writer. The flag has no effect on files.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|flags, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("is %s; pass the path of a file", describe(info.Mode()))}
	}
	if err != nil {
		_ = file.Close() // It was only opened.
		return nil, err
	}
	return file, nil
}

func describe(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	}
	return "not a file"
}

// ReadFile reads a regular file of at most limit bytes.
func ReadFile(path string, limit int64) ([]byte, error) { return readFile(path, limit, 0) }

// ReadOwn is [ReadFile] for the sandbox's own files: it does not follow a symbolic link.
func ReadOwn(path string) ([]byte, error) { return readFile(path, MaxConfig, syscall.O_NOFOLLOW) }

func readFile(path string, limit int64, flags int) ([]byte, error) {
	file, err := open(path, flags)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := Read(file, limit)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return data, nil
}

// Read reads at most limit bytes. If there are more, it returns an error that wraps [ErrTooLarge].
func Read(from io.Reader, limit int64) ([]byte, error) {
	var data bytes.Buffer
	if file, isFile := from.(*os.File); isFile {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			data.Grow(int(min(info.Size(), limit)) + bytes.MinRead)
		}
	}
	_, err := data.ReadFrom(io.LimitReader(from, limit+1))
	if err == nil && int64(data.Len()) > limit {
		return nil, fmt.Errorf("%w: more than %d MB", ErrTooLarge, limit>>20)
	}
	return data.Bytes(), err
}
