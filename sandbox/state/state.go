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

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/file"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/input"
)

// Product is the name of the folders below the user's cache and state folders.
const Product = "operator-tracing-sandbox"

// Dir is the folder of one sandbox. Several processes can call its methods concurrently; only
// [Dir.Save] and [Dir.Remove] require the lock.
type Dir struct {
	// Path is the path of the folder, which exists.
	Path string
}

// DefaultPath returns the default folder of the sandbox called name: the product and the name below
// $XDG_STATE_HOME (default ~/.local/state).
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

// CachePath returns the folder for everything that can be built or fetched again: the product below
// $XDG_CACHE_HOME (default the cache folder of the system). It returns an error if other users can
// change the folder, from which programs are run.
func CachePath() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w; set XDG_CACHE_HOME", err)
	}
	path := filepath.Join(base, Product)
	if err := trust(path, "set XDG_CACHE_HOME to a folder of yours"); err != nil {
		return "", fmt.Errorf("opening the cache folder: %w", err)
	}
	return path, nil
}

// Open returns the folder at path and creates it if necessary. It returns an error, before it reads
// anything, if other users can change the folder. Open returns an error if the folder
// contains other files and no sandbox, because `sandbox down` removes the folder.
func Open(path string) (Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Dir{}, fmt.Errorf("opening the state folder: %w", err)
	}
	if err := trust(path, FolderRemedy); err != nil {
		return Dir{}, fmt.Errorf("opening the state folder: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return Dir{}, fmt.Errorf("creating the state folder: %w", Remedy(err))
	}
	d := Dir{Path: path}
	others, err := d.others()
	if err != nil {
		return Dir{}, fmt.Errorf("opening the state folder: %w", Remedy(err))
	}
	if len(others) > 0 && !d.used() {
		return Dir{}, fmt.Errorf("opening the state folder %s: not a sandbox folder: it contains %s; %s", path, others[0], FolderRemedy)
	}
	return d, nil
}

// used reports whether the folder is or was used by a sandbox. Every command that writes to the
// folder first takes the lock, so a lock file exists.
func (d Dir) used() bool {
	for _, mark := range []string{lockFile, recordFile} {
		if info, err := os.Lstat(d.file(mark)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// FolderRemedy is the remedy for a folder that cannot be used.
const FolderRemedy = "choose another folder with --state-dir or SANDBOX_STATE_DIR"

// RoomRemedy is the remedy for a full file system.
const RoomRemedy = "make room there, or " + FolderRemedy

// Remedy wraps an error with a remedy if the folder cannot be written; it returns other errors
// unchanged.
func Remedy(err error) error {
	switch {
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w; %s", err, FolderRemedy)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w; %s", err, RoomRemedy)
	}
	return err
}

// lockRetry is the interval between attempts to take the lock.
const lockRetry = 100 * time.Millisecond

// Lock takes the lock of the sandbox and returns the function that releases it. It waits until ctx
// is done, and then returns an error that wraps the cause and names the lock file. The system
// releases the lock of a killed process. After Lock, the caller must load the record again.
func (d Dir) Lock(ctx context.Context) (unlock func(), err error) {
	path := d.file(lockFile)
	for {
		if err := os.MkdirAll(d.Path, 0o700); err != nil {
			return nil, fmt.Errorf("creating the state folder: %w", Remedy(err))
		}
		lock := flock.New(path)
		locked, err := lock.TryLockContext(ctx, lockRetry)
		if errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			continue // Another command, a down, removed the folder.
		}
		if err != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("locking the sandbox: %w", Remedy(err))
		}
		if err != nil || !locked {
			return nil, fmt.Errorf("waiting for another sandbox command that holds %s: %w; wait until it exits, or stop it", path, context.Cause(ctx))
		}
		if sameFile(lock, path) {
			return func() { _ = lock.Unlock() }, nil // If this fails, the system releases the lock when the process exits.
		}
		// The file was deleted between opening and locking, so the lock excludes no other process.
		_ = lock.Unlock()
	}
}

// SetHolder stores the name of the command that holds the lock, for [Dir.Holder]. The caller holds the
// lock. An error is ignored: the name is only for messages.
func (d Dir) SetHolder(command string) { _ = os.WriteFile(d.file(lockFile), []byte(command), 0o600) }

// Holder returns the name of the command that holds the lock; "" if there is none, or its name is
// unknown.
func (d Dir) Holder() string {
	lock := flock.New(d.file(lockFile), flock.SetFlag(os.O_RDONLY)) // It creates no file.
	if free, err := lock.TryRLock(); free || err != nil {
		_ = lock.Unlock() // Nothing depends on it.
		return ""
	}
	_ = lock.Close()
	name, err := input.ReadOwn(d.file(lockFile))
	if err != nil {
		return ""
	}
	return string(name)
}

// sameFile reports whether path still refers to the locked file.
func sameFile(lock *flock.Flock, path string) bool {
	held, err := lock.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(held, now)
}

// Load reads the record. It returns the zero Record and no error if the sandbox was never up.
func (d Dir) Load() (Record, error) {
	var r Record
	data, err := input.ReadOwn(d.file(recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("reading the sandbox's state: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("reading the sandbox's state in %s: %w; remove the file and run %s", d.file(recordFile), err, hint.Run("down"))
	}
	if r.Format > Format {
		return r, fmt.Errorf("reading the sandbox's state in %s: it was written by a newer sandbox (format %d, this version supports %d); use the newer version, or choose another --name", d.Path, r.Format, Format)
	}
	if r.Name != "" && r.Cluster == "" {
		r.Cluster = component.Kind // The program that wrote the record supported only kind.
	}
	return r, nil
}

// Save writes the record atomically: a reader sees either the old or the new record.
func (d Dir) Save(r Record) error {
	r.Format = Format
	if err := Write(d.file(recordFile), r); err != nil {
		return fmt.Errorf("writing the sandbox's state: %w", Remedy(err))
	}
	return nil
}

// Write writes a value to a file in JSON, atomically. Only the user can read the file.
func Write(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return file.Replace(path, append(data, '\n'), 0o600)
}
