package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	folderMode  = 0o700
	privateMode = 0o600
	publicMode  = 0o644
	others      = 0o077
)

// WriteFile writes a file atomically: a reader sees either the old or the new content, even if the
// writer is killed. It creates missing folders, which only the owner can access. A path must not
// have concurrent writers. Errors name the path and wrap the system's error.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	// The name is always the same, so that killed writers leave at most one file.
	temporary := path + ".new"
	if err := writeNew(temporary, data, mode); err != nil {
		_ = os.Remove(temporary) // The first error is more useful.
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// writeNew deletes an existing file and creates a new one, because the file of a killed writer can
// have another mode.
func writeNew(path string, data []byte, mode os.FileMode) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := file.Write(data); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close() // Some file systems report only now that they are full.
}

// ReadPrivate reads a file with a secret, after restricting its permissions to the owner.
func ReadPrivate(path string) ([]byte, error) {
	if err := restrict(path, privateMode); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// restrict sets the mode of path if other users have permissions on it. Otherwise it writes
// nothing, so that it also works on a read-only file system.
func restrict(path string, mode os.FileMode) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&others == 0 {
		return nil
	}
	return os.Chmod(path, mode)
}
