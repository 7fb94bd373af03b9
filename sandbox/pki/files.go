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

// WriteFile writes a file in one step: a reader sees the old or the new content, whole, even when the writer is killed. Folders
// that are missing are made, for the owner alone. One path may have one writer at a time. Errors name the path and wrap what the
// system said.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	// The name is always the same, so that writers which are killed leave one file behind and not one each.
	temporary := path + ".new"
	if err := writeNew(temporary, data, mode); err != nil {
		_ = os.Remove(temporary) // The error that counts is the first.
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// writeNew makes a file that did not exist before: one that a killed writer left could have any mode.
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
	return file.Close() // Some file systems say only now that they are full.
}

// ReadPrivate reads a file with a secret, and takes from everybody but its owner what rights they have to it.
func ReadPrivate(path string) ([]byte, error) {
	if err := closeToOthers(path, privateMode); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// closeToOthers gives path a mode if others than its owner have rights to it; if not, nothing is written, so that a read-only
// file system is no obstacle.
func closeToOthers(path string, mode os.FileMode) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&others == 0 {
		return nil
	}
	return os.Chmod(path, mode)
}
