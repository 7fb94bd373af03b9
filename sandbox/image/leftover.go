package image

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Leftover is something in the cache that this version of the sandbox does not ask for by its keys and digests.
type Leftover struct {
	// Path is its folder, or file.
	Path string
	// Used is when it was used last.
	Used time.Time
	// Size is what it takes, in bytes.
	Size int64
}

// UnusedSince is the time for [Builder.Leftovers] by which things are told that were not used for so long, at least an hour: a command
// that found something may read from it still.
func UnusedSince(unused time.Duration) time.Time { return time.Now().Add(-max(unused, idle)) }

// Leftovers lists what was built or pulled for other versions, or operators, and was not used since a time; see [UnusedSince]. Operators
// are told by their use alone: what they are built to, only Go knows. A cache that is not there has no leftovers.
func (b *Builder) Leftovers(since time.Time) ([]Leftover, error) {
	keys, err := b.neededKeys()
	if err != nil {
		return nil, fmt.Errorf("looking what the cache must keep: %w", err)
	}
	var found []Leftover
	for _, folder := range cacheFolders {
		if folder == registryFolder || folder == imagesFolder {
			continue // The one has no folders with keys, and the other nothing that takes room.
		}
		entries, err := os.ReadDir(filepath.Join(b.Cache, folder))
		if err != nil && !os.IsNotExist(err) {
			return nil, fmt.Errorf("looking into the cache: %w", err)
		}
		for _, entry := range entries {
			limit := since
			if strings.HasPrefix(entry.Name(), making) {
				limit = earlier(since, time.Now().Add(-abandoned))
			}
			path := filepath.Join(b.Cache, folder, entry.Name())
			if used := usedAt(path); used.Before(limit) && !keys[keyOf(path)] {
				found = append(found, Leftover{Path: path, Used: used})
			}
		}
	}
	found = append(found, newStore(filepath.Join(b.Cache, registryFolder)).leftovers(since, pinned())...)
	for i := range found {
		found[i].Size = sizeOf(found[i].Path)
	}
	return found, nil
}

// Remove removes it, unless it was used since it was found, or is gone.
func (l Leftover) Remove() (removed bool, err error) {
	if !usedAt(l.Path).Equal(l.Used) {
		return false, nil
	}
	// In one step it has a name by which nobody looks for it, and by which what a killed command leaves of it is removed later.
	doomed := filepath.Join(filepath.Dir(l.Path), making+filepath.Base(l.Path))
	if err := os.Rename(l.Path, doomed); err != nil {
		return false, fmt.Errorf("removing %s from the cache: %w", l.Path, err)
	}
	if err := os.RemoveAll(doomed); err != nil {
		return false, fmt.Errorf("removing %s from the cache: %w", l.Path, err)
	}
	return true, nil
}

// CacheSize is what the cache folder takes, in bytes. What can't be read counts as nothing.
func CacheSize(folder string) int64 { return sizeOf(folder) }

// neededKeys are the keys of what this version builds, for engines and for this machine. Names of layers have them, too.
func (b *Builder) neededKeys() (map[string]bool, error) {
	keys := map[string]bool{}
	for _, goos := range slices.Compact([]string{"linux", runtime.GOOS}) {
		builder := *b
		builder.OS = goos
		var parts nodeParts
		into := map[string]*string{
			nodeInit.name: &parts.initDir, kubernetes.name: &parts.kubernetesDir, nodeTools.name: &parts.toolsDir, coreDNS.name: &parts.coreDNSDir,
		}
		for _, c := range slices.Concat(SourceParts.components, ProgramParts.components) {
			key, _, err := builder.key(c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			keys[key] = true
			if dir := into[c.name]; dir != nil {
				*dir = c.name + "-" + key
			}
		}
		var err error
		if parts.versions, err = builder.Versions(); err != nil {
			return nil, err
		}
		parts.rootFS.archive = filepath.Join(builder.rootFSFolder(), "rootfs.tar")
		for _, key := range []string{systemKey(parts), keyOf(builder.rootFSFolder()), keyOf(builder.assetFolder(chart))} {
			keys[key] = true
		}
	}
	return keys, nil
}

// usedAt is when something in the cache was used last: [use] marks folders, and where Go builds it writes files. It is zero for what
// is not there.
func usedAt(path string) time.Time {
	info, err := os.Lstat(path)
	if err != nil {
		return time.Time{}
	}
	used := info.ModTime()
	entries, _ := os.ReadDir(path) // A file has none.
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.ModTime().After(used) {
			used = info.ModTime()
		}
	}
	return used
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// sizeOf adds up the files at and below a path.
func sizeOf(path string) (size int64) {
	_ = filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // What can't be read counts as nothing.
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}
