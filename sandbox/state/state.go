package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Product names the folders below the user's cache and state folders.
const Product = "operator-tracing-sandbox"

// Dir is the folder of one sandbox. Its methods may be called by several processes at once; only [Dir.Save] and
// [Dir.Remove] need the lock.
type Dir struct {
	// Path is the folder; it exists.
	Path string
}

// DefaultPath is the folder of the sandbox called name where nothing else was asked for:
// $XDG_STATE_HOME, or ~/.local/state, then the product and the name.
func DefaultPath(name string) (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("finding the home folder for the sandbox's state: %w; set XDG_STATE_HOME", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, Product, name), nil
}

// CachePath is the folder of everything that can be built or fetched again: the product below the user's cache
// folder ($XDG_CACHE_HOME, or what the system uses).
func CachePath() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w; set XDG_CACHE_HOME", err)
	}
	return filepath.Join(base, Product), nil
}

// Open returns the folder at path, made if it is missing. A folder that has other things in it and no sandbox is refused:
// a sandbox's folder is removed with the sandbox.
func Open(path string) (Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Dir{}, fmt.Errorf("opening the state folder: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return Dir{}, fmt.Errorf("making the state folder: %w", Remedy(err))
	}
	d := Dir{Path: path}
	others, err := d.others()
	if err != nil {
		return Dir{}, fmt.Errorf("opening the state folder: %w", Remedy(err))
	}
	if len(others) > 0 && !d.used() {
		return Dir{}, fmt.Errorf("opening the state folder %s: it holds %s, and no sandbox: %s", path, others[0], chooseOther)
	}
	return d, nil
}

// used tells whether a sandbox is or was in the folder. Every command that writes there takes the lock first.
func (d Dir) used() bool {
	for _, mark := range []string{lockFile, recordFile} {
		if info, err := os.Lstat(d.file(mark)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// chooseOther is what to do about a folder that can't be used.
const chooseOther = "choose another folder with --state-dir or SANDBOX_STATE_DIR"

// RoomRemedy is what to do where the folder is full.
const RoomRemedy = "make room there, or " + chooseOther

// Remedy adds what to do about a folder that can't be written.
func Remedy(err error) error {
	switch {
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %s", err, chooseOther)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %s", err, RoomRemedy)
	}
	return err
}

// lockRetry is how often a waiting command looks whether the lock is free.
const lockRetry = 100 * time.Millisecond

// Lock takes the sandbox's lock and returns the function that gives it back. It waits until ctx ends; then the error
// says who may hold it. The system frees the lock of a process that was killed. What was loaded before is out of date.
func (d Dir) Lock(ctx context.Context) (unlock func(), err error) {
	path := d.file(lockFile)
	for {
		if err := os.MkdirAll(d.Path, 0o700); err != nil {
			return nil, fmt.Errorf("making the state folder: %w", Remedy(err))
		}
		lock := flock.New(path)
		locked, err := lock.TryLockContext(ctx, lockRetry)
		if errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			continue // The other command was a down, which removed the folder.
		}
		if err != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("locking the sandbox: %w", Remedy(err))
		}
		if err != nil || !locked {
			return nil, fmt.Errorf("waiting for another sandbox command that holds %s: %w; wait for it or end it", path, context.Cause(ctx))
		}
		if sameFile(lock, path) {
			return func() { _ = lock.Unlock() }, nil // The process ends soon, and with it the lock.
		}
		// Removed between opening and locking: this is the lock of a file that nobody else will open.
		_ = lock.Unlock()
	}
}

// sameFile tells whether a lock is of the file that has its path now.
func sameFile(lock *flock.Flock, path string) bool {
	held, err := lock.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(held, now)
}

// Load reads the record. A sandbox that was never up has the zero Record, with no error.
func (d Dir) Load() (Record, error) {
	var r Record
	data, err := os.ReadFile(d.file(recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("reading the sandbox's state: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("reading the sandbox's state in %s: %w; remove the file and run `sandbox down`", d.file(recordFile), err)
	}
	if r.Format > Format {
		return r, fmt.Errorf("reading the sandbox's state in %s: it was written by a newer sandbox (format %d, this one knows %d): use that one, or choose another --name", d.Path, r.Format, Format)
	}
	if r.Name != "" && r.Cluster == "" {
		r.Cluster = Kind // There was nothing else when it was written.
	}
	return r, nil
}

// Save writes the record in one step: a reader sees the old or the new one, whole.
func (d Dir) Save(r Record) error {
	r.Format = Format
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the sandbox's state: %w", Remedy(err))
	}
	temporary := d.file(recordFile + ".new")
	if err := os.WriteFile(temporary, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the sandbox's state: %w", Remedy(err))
	}
	if err := os.Rename(temporary, d.file(recordFile)); err != nil {
		return fmt.Errorf("writing the sandbox's state: %w", Remedy(err))
	}
	return nil
}
