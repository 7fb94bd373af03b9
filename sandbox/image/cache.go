package image

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// cacheFolders are what Builder and Registry keep in the cache; operator has what Go built last of each operator, and images when
// engines were given which images.
var cacheFolders = []string{"bin", "given", imagesFolder, "layers", "operator", registryFolder, "rootfs"}

const (
	imagesFolder   = "images"
	registryFolder = "registry"
)

// making begins the names of folders that are being filled; abandoned is the age at which one is the leftover of a command
// that was killed, since no build takes that long. idle is how long ago a folder must have been used to be pruned: a
// command that found it still reads from it.
const (
	making    = ".making-"
	abandoned = 24 * time.Hour
	idle      = time.Hour
)

// What to do where the cache can't be written.
const (
	// RoomRemedy is for a cache that is full.
	RoomRemedy  = "make room there, or name another folder by XDG_CACHE_HOME"
	cacheRemedy = "make it writable, or name another folder by XDG_CACHE_HOME"
)

// Remedy adds what to do about a cache that can't be written.
func Remedy(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w; %s", err, RoomRemedy)
	}
	return fmt.Errorf("%w; %s", err, cacheRemedy)
}

// RemoveCache deletes everything that was built or pulled into the cache folder, and the folder itself if nothing else
// is in it.
func RemoveCache(folder string) error {
	for _, name := range cacheFolders {
		if err := os.RemoveAll(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("removing the cache: %w", err)
		}
	}
	if entries, err := os.ReadDir(folder); err == nil && len(entries) == 0 {
		return os.Remove(folder)
	}
	return nil
}

// complete tells whether dir holds every output, as long as it was made.
func complete(dir string, outputs []string) bool {
	return sizesHold(dir, outputs) && !slices.ContainsFunc(outputs, func(name string) bool { return !fileExists(filepath.Join(dir, name)) })
}

// use tells whether dir holds every output, and marks it as used now, for prune. A cache that only can be read stays
// unmarked, and is pruned by nobody either.
func use(dir string, outputs []string) bool {
	if !complete(dir, outputs) {
		return false
	}
	if !fileExists(filepath.Join(dir, sizesFile)) {
		noteSizes(dir, outputs)
	}
	now := time.Now()
	_ = os.Chtimes(dir, now, now)
	return true
}

// fill makes dir in one step: work fills a temporary folder beside it, which then takes dir's name. A command that is
// killed in between leaves no half-filled dir, and a later one removes what it left. If another command has filled dir
// meanwhile, with all outputs, its work stays, since programs may run from there already.
func fill(dir string, outputs []string, work func(temporary string) error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("making the cache folder: %w", Remedy(err))
	}
	removeAbandoned(filepath.Dir(dir))
	temporary, err := os.MkdirTemp(filepath.Dir(dir), making)
	if err != nil {
		return fmt.Errorf("making a folder in the cache: %w", Remedy(err))
	}
	defer os.RemoveAll(temporary)
	if err := work(temporary); err != nil {
		return err
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	noteSizes(temporary, outputs)
	if complete(dir, outputs) {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Rename(temporary, dir); err != nil && !complete(dir, outputs) {
		return err
	}
	return nil
}

// removeAbandoned removes old temporary folders. One that can't be removed costs space, and no more.
func removeAbandoned(parent string) {
	for _, f := range foldersIn(parent, func(name string) bool { return strings.HasPrefix(name, making) }) {
		if time.Since(f.used) > abandoned {
			_ = os.RemoveAll(f.path)
		}
	}
}

// prune removes the builds of a component that were not used for an hour, but always keeps those used last. It looks
// only at folders named by the component and a key. One that can't be removed costs space, and no more.
func prune(parent, component string, keep int) {
	named := regexp.MustCompile("^" + regexp.QuoteMeta(component) + "-[0-9a-f]{16}$")
	folders := foldersIn(parent, named.MatchString)
	slices.SortFunc(folders, func(a, b folder) int { return cmp.Compare(b.used.UnixNano(), a.used.UnixNano()) })
	for _, f := range folders[min(keep, len(folders)):] {
		if time.Since(f.used) > idle {
			_ = os.RemoveAll(f.path)
		}
	}
}

// folder is one in the cache, and when it was used last: for one that is being filled, when it last got a file.
type folder struct {
	path string
	used time.Time
}

// foldersIn lists the folders below parent whose names are wanted; what can't be read is not there.
func foldersIn(parent string, wanted func(name string) bool) (found []folder) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && entry.IsDir() && wanted(entry.Name()) {
			found = append(found, folder{filepath.Join(parent, entry.Name()), info.ModTime()})
		}
	}
	return found
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
