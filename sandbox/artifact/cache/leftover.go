package cache

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Leftover is an entry of the cache that this version of the sandbox does not need.
type Leftover struct {
	// Path is its folder or file.
	Path string
	// Used is the time of its last use.
	Used time.Time
	// Size is its size in bytes.
	Size int64
}

// UnusedSince returns the time for [Leftovers] that selects entries unused for the given duration,
// at least for an hour: a command may still read an entry that it looked up within the last hour.
func UnusedSince(unused time.Duration) time.Time { return time.Now().Add(-max(unused, idle)) }

// Leftovers lists the entries of the cache that were not used since a time, except folders with one
// of the given keys and the images with one of the pinned digests. It returns nil if the cache does
// not exist.
func Leftovers(folder string, since time.Time, keys map[string]bool, pinned []string) ([]Leftover, error) {
	var found []Leftover
	list := func(parent string, needed func(name string) bool) error {
		entries, err := os.ReadDir(parent)
		if err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("reading the cache: %w", err)
		}
		for _, entry := range entries {
			path, limit := filepath.Join(parent, entry.Name()), since
			if day := time.Now().Add(-abandoned); unfinished(entry.Name()) && day.Before(limit) {
				limit = day
			}
			if used := usedAt(path); used.Before(limit) && !needed(entry.Name()) {
				found = append(found, Leftover{Path: path, Used: used, Size: Size(path)})
			}
		}
		return nil
	}
	for _, name := range keyedFolders {
		err := list(filepath.Join(folder, name), func(name string) bool { return keys[KeyOf(name)] })
		if err != nil {
			return nil, err
		}
	}
	store := NewStore(folder)
	needed := store.needed(pinned)
	err := list(store.blobs(), func(name string) bool { return needed[name] })
	return found, err
}

// Remove deletes the leftover. It returns false if the leftover was used or deleted since it was
// found.
func (l Leftover) Remove() (removed bool, err error) {
	if !usedAt(l.Path).Equal(l.Used) {
		return false, nil
	}
	// Renamed, it can't be looked up, and removeAbandoned deletes it if this command is killed.
	doomed := filepath.Join(filepath.Dir(l.Path), making+filepath.Base(l.Path))
	if err = os.Rename(l.Path, doomed); err == nil {
		err = os.RemoveAll(doomed)
	}
	if err != nil {
		return false, fmt.Errorf("deleting %s from the cache: %w", l.Path, err)
	}
	return true, nil
}

// usedAt returns the time of an entry's last use: [Use] changes the folder's time, and Go writes
// files in the folders where it builds. It returns zero if there is no such entry.
func usedAt(path string) time.Time {
	info, err := os.Lstat(path)
	if err != nil {
		return time.Time{}
	}
	used := info.ModTime()
	for _, time := range entriesOf(path, func(string) bool { return true }) {
		if time.After(used) {
			used = time
		}
	}
	return used
}

// Size returns the size of all files at or below a path, in bytes. Unreadable files count as empty.
func Size(path string) (size int64) {
	_ = filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // Unreadable files count as empty.
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}

// NoteImage records that a container engine is about to use an image: engines do not report when an
// image was used. In a read-only cache the record is skipped.
func NoteImage(folder, name string) {
	path := imageNote(folder, name)
	_ = os.MkdirAll(filepath.Dir(path), 0o755)
	_ = os.WriteFile(path, nil, 0o644)
	now := time.Now()
	_ = os.Chtimes(path, now, now)
}

// ImageUsed returns the time of the last [NoteImage] of an image, or zero.
func ImageUsed(folder, name string) time.Time { return usedAt(imageNote(folder, name)) }

// ForgetImages deletes the records of images that were not used since a time.
func ForgetImages(folder string, since time.Time) {
	for path, used := range entriesOf(filepath.Join(folder, imagesFolder), func(string) bool { return true }) {
		if used.Before(since) {
			_ = os.Remove(path)
		}
	}
}

func imageNote(folder, name string) string {
	return filepath.Join(folder, imagesFolder, url.PathEscape(name))
}
