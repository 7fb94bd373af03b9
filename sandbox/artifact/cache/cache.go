// Package cache keeps built and pulled artifacts in the user's cache folder.
//
// A folder in the cache is named after a component and the hash of everything that it was made
// from. It is filled under a temporary name and then renamed, so it is either complete or absent.
// Pulled images are the blobs of an OCI image layout; see [Store]. All functions can be called by
// several goroutines and by several commands at the same time.
package cache

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Folders of the cache whose entries are named by a key.
const (
	Programs = "bin"      // what was compiled, and Helm charts
	Given    = "given"    // images that the user's container engine saved
	Layers   = "layers"   // layers of images that were built
	Operator = "operator" // the latest build of each operator, which Go updates in place
	RootFS   = "rootfs"   // root filesystems of nodes
	// Snapshots holds objects of new embedded clusters; see package snapshot.
	Snapshots = "snapshots"
)

const (
	imagesFolder   = "images" // empty files; see NoteImage
	registryFolder = "registry"
)

// Ports is the folder of the locks of ports that commands chose; see package port.
const Ports = "ports"

var keyedFolders = []string{Programs, Given, Layers, Operator, RootFS, Snapshots}

const (
	// making is the prefix of folders that are being filled or deleted.
	making = ".making-"
	// abandoned is the age at which an unfinished entry is the leftover of a killed command: no
	// build takes a day.
	abandoned = 24 * time.Hour
	// idle is the time for which an entry must be unused before it is deleted: the command that
	// looked it up may still read it.
	idle = time.Hour
)

// Remedies for a cache that can't be written.
const (
	// RoomRemedy is the remedy for a full disk.
	RoomRemedy  = "free some space, or set XDG_CACHE_HOME to another folder"
	writeRemedy = "make it writable, or set XDG_CACHE_HOME to another folder"
)

// Remedy adds a remedy to an error about a cache that can't be written.
func Remedy(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w; %s", err, RoomRemedy)
	}
	return fmt.Errorf("%w; %s", err, writeRemedy)
}

// Key returns the hash of content, in the form of a key: 16 hexadecimal digits.
func Key(content []byte) string {
	hash := sha256.Sum256(content)
	return hex.EncodeToString(hash[:8])
}

// KeyOf returns the key at the end of a folder's name.
func KeyOf(folder string) string {
	base := filepath.Base(folder)
	return base[max(0, len(base)-16):]
}

// Remove deletes everything that the sandbox keeps in the cache folder. It deletes the folder
// itself if it is empty then.
func Remove(folder string) error {
	for _, name := range append([]string{imagesFolder, registryFolder, Ports}, keyedFolders...) {
		if err := os.RemoveAll(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("deleting the cache: %w", err)
		}
	}
	if entries, err := os.ReadDir(folder); err == nil && len(entries) == 0 {
		return os.Remove(folder)
	}
	return nil
}

// Complete reports whether dir holds every output, with the size that it had when it was created.
func Complete(dir string, outputs []string) bool {
	noted := map[string]int64{} // Empty for folders of versions that noted no sizes.
	if data, err := os.ReadFile(filepath.Join(dir, sizesFile)); err == nil {
		_ = json.Unmarshal(data, &noted)
	}
	for _, name := range outputs {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return false
		}
		if size, known := noted[name]; known && info.Mode().IsRegular() && info.Size() != size {
			return false
		}
	}
	return true
}

// sizesFile records the sizes of a folder's outputs. A full disk or a power failure can truncate a
// file after it was created, and hashing half a gigabyte to detect that would slow down every up.
const sizesFile = ".sizes"

func noteSizes(dir string, outputs []string) {
	sizes := map[string]int64{}
	for _, name := range outputs {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			sizes[name] = info.Size()
		}
	}
	if data, err := json.Marshal(sizes); err == nil {
		_ = os.WriteFile(filepath.Join(dir, sizesFile), data, 0o644) // Optional; see Complete.
	}
}

// Use reports whether dir is complete, and marks it as used now, for [Prune] and [Leftovers]. In a
// read-only cache the mark is skipped.
func Use(dir string, outputs []string) bool {
	if !Complete(dir, outputs) {
		return false
	}
	if !exists(filepath.Join(dir, sizesFile)) {
		noteSizes(dir, outputs)
	}
	now := time.Now()
	_ = os.Chtimes(dir, now, now)
	return true
}

// Ensure makes dir complete: if it is not, work fills a temporary folder, which is then renamed to
// dir. It reports whether dir was complete already.
//
// If the command is killed, no half-filled dir remains, and a later call deletes the temporary
// folder. If another command completes dir at the same time, the other command's files stay,
// because programs may already run from there.
func Ensure(dir string, outputs []string, work func(temporary string) error) (found bool, err error) {
	if Use(dir, outputs) {
		return true, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return false, fmt.Errorf("creating the cache folder: %w", Remedy(err))
	}
	removeAbandoned(filepath.Dir(dir))
	temporary, err := os.MkdirTemp(filepath.Dir(dir), making)
	if err != nil {
		return false, fmt.Errorf("creating a folder in the cache: %w", Remedy(err))
	}
	defer os.RemoveAll(temporary)
	if err := work(temporary); err != nil {
		return false, err
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return false, err
	}
	noteSizes(temporary, outputs)
	if Complete(dir, outputs) {
		return false, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return false, err
	}
	if err := os.Rename(temporary, dir); err != nil && !Complete(dir, outputs) {
		return false, err
	}
	return false, nil
}

// EnsureFiles returns a folder of the cache with exactly these files, by their paths below it. The
// folder's name contains the hash of the files.
func EnsureFiles(folder, name string, files map[string][]byte) (string, error) {
	var content []byte
	paths := slices.Sorted(maps.Keys(files))
	for _, path := range paths {
		content = append(fmt.Appendf(content, "%s %d\n", path, len(files[path])), files[path]...)
	}
	dir := filepath.Join(folder, Programs, name+"-"+Key(content))
	_, err := Ensure(dir, paths, func(temporary string) error {
		for _, path := range paths {
			full := filepath.Join(temporary, filepath.FromSlash(path))
			if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(full, files[path], 0o644); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("writing %s to the cache: %w", name, err)
	}
	return dir, nil
}

// WriteProgram writes an executable file. flag is os.O_EXCL or os.O_TRUNC.
func WriteProgram(path string, content io.Reader, flag int) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	return errors.Join(err, out.Close())
}

var blobBeingWritten = regexp.MustCompile(`^[0-9a-f]{64}.`)

// unfinished reports whether an entry of this name is being written or deleted.
func unfinished(name string) bool {
	return strings.HasPrefix(name, making) || blobBeingWritten.MatchString(name)
}

// removeAbandoned deletes unfinished entries that are older than a day. It ignores errors: an entry
// that stays only costs space.
func removeAbandoned(parent string) {
	for path, used := range entriesOf(parent, unfinished) {
		if time.Since(used) > abandoned {
			_ = os.RemoveAll(path)
		}
	}
}

// Prune deletes builds of a component that were unused for an hour, except the most recently used
// ones, of which it keeps the given number. It ignores errors: a build that stays only costs space.
func Prune(parent, component string, keep int) {
	named := regexp.MustCompile("^" + regexp.QuoteMeta(component) + "-[0-9a-f]{16}$")
	builds := entriesOf(parent, named.MatchString)
	newest := slices.SortedFunc(maps.Keys(builds), func(a, b string) int {
		return cmp.Compare(builds[b].UnixNano(), builds[a].UnixNano())
	})
	for _, path := range newest[min(keep, len(newest)):] {
		if time.Since(builds[path]) > idle {
			_ = os.RemoveAll(path)
		}
	}
}

// entriesOf returns the paths of the matching entries of a folder, with their modification times.
func entriesOf(parent string, match func(name string) bool) map[string]time.Time {
	found := map[string]time.Time{}
	entries, _ := os.ReadDir(parent) // An unreadable folder counts as empty.
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && match(entry.Name()) {
			found[filepath.Join(parent, entry.Name())] = info.ModTime()
		}
	}
	return found
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
