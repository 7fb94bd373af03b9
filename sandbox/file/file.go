// Package file writes files atomically, and keeps secrets from other users.
package file

import (
	"fmt"
	"os"
	"path/filepath"
)

// Write is [Replace] in a folder that need not exist. Only the owner can access the folders that it
// creates.
func Write(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return Replace(path, data, mode)
}

// Replace writes a file atomically: a reader sees either the old or the new content, even if the
// writer is killed. A path must not have concurrent writers. Errors name the path and wrap the
// system's error.
func Replace(path string, data []byte, mode os.FileMode) error {
	// The name is always the same, so that killed writers leave at most one file.
	temporary := path + ".new"
	err := os.WriteFile(temporary, data, mode)
	if err == nil {
		err = os.Chmod(temporary, mode) // Because of the umask, or because the file existed.
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary) // The first error is more useful.
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// ReadPrivate reads a file with a secret, after restricting its permissions to the owner.
func ReadPrivate(path string) ([]byte, error) {
	if err := Restrict(path, 0o600); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// Restrict sets the mode of path if other users have permissions on it. Otherwise it writes
// nothing, so that it also works on a read-only file system.
func Restrict(path string, mode os.FileMode) error {
	const others = 0o077
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&others == 0 {
		return err
	}
	return os.Chmod(path, mode)
}
