// Package prune removes unused files from the cache, and unused images of the sandbox from container
// engines.
package prune

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

// DefaultUnused is the default time without use after which a file or an image is removed.
const DefaultUnused = 7 * 24 * time.Hour

// noticeAbove is the size of a cache in bytes above which [Notice] returns a notice.
const noticeAbove = 10 << 30

// Result is the result of [Run].
type Result struct {
	// DryRun is true if nothing was removed.
	DryRun bool `json:"dryRun"`
	// Removed has the removed files of the cache, then the removed images.
	Removed []Item `json:"removed"`
	// Bytes is their size.
	Bytes int64 `json:"bytes"`
	// CacheBytes is the size of the cache after the removal.
	CacheBytes int64 `json:"cacheBytes"`
	// Cache is its folder.
	Cache string `json:"cache"`
}

// Item is a file or folder of the cache, or an image of a container engine.
type Item struct {
	// Name is the path below the cache's folder, or the image's name.
	Name string `json:"name"`
	// Engine is the container engine that had the image; empty for a file.
	Engine string `json:"engine,omitempty"`
	// Bytes is its size. Removing an image frees less, since images share layers.
	Bytes int64 `json:"bytes"`
	// LastUsed is nil if it is unknown.
	LastUsed *time.Time `json:"lastUsed,omitempty"`
}

// Run removes files from the cache that this version of the sandbox does not need and that were not
// used for a time, and removes images of the sandbox from the container engines that no container
// uses and no up used for that time; up loads them again from the cache. It keeps programs that run,
// and everything that was used within the last hour. With dryRun it removes nothing. After an error
// it continues, and returns the first error.
func Run(ctx context.Context, s *session.Session, unused time.Duration, dryRun bool) (Result, error) {
	if err := s.UseBuilder(); err != nil {
		return Result{}, err
	}
	since := cache.UnusedSince(unused)
	pruned := Result{DryRun: dryRun, Removed: []Item{}, Cache: s.Builder.Cache}
	first := pruneCache(s, since, &pruned)
	for _, running := range engine.RunningEngines(ctx) {
		if err := pruneImages(ctx, running, s.Builder.Cache, since, &pruned); err != nil && first == nil {
			first = err
		}
	}
	if !dryRun {
		cache.ForgetImages(s.Builder.Cache, since)
	}
	for _, item := range pruned.Removed {
		pruned.Bytes += item.Bytes
	}
	pruned.CacheBytes = cache.Size(s.Builder.Cache)
	return pruned, first
}

func pruneCache(s *session.Session, since time.Time, pruned *Result) error {
	unused, err := leftovers(s, since)
	if err != nil {
		return err
	}
	var first error
	for _, l := range unused {
		if !pruned.DryRun {
			removed, err := l.Remove()
			if err != nil && first == nil {
				first = err
			}
			if !removed {
				continue
			}
		}
		name, err := filepath.Rel(s.Builder.Cache, l.Path)
		if err != nil {
			name = l.Path
		}
		pruned.Removed = append(pruned.Removed, Item{Name: name, Bytes: l.Size, LastUsed: &l.Used})
	}
	return first
}

// leftovers returns the unused files of the cache from which no process runs.
func leftovers(s *session.Session, since time.Time) ([]cache.Leftover, error) {
	running, err := process.Running(s.Builder.Cache)
	if err != nil {
		return nil, err
	}
	all, err := s.Builder.Leftovers(since)
	return slices.DeleteFunc(all, func(l cache.Leftover) bool {
		return slices.ContainsFunc(running, func(program string) bool {
			return strings.HasPrefix(program, l.Path+string(filepath.Separator))
		})
	}), err
}

func pruneImages(ctx context.Context, engine *engine.Engine, folder string, since time.Time, pruned *Result) error {
	names, err := engine.UnusedImages(ctx, artifact.LocalRepository)
	if err != nil {
		return fmt.Errorf("looking for the sandbox's images in %s: %w", engine.Name, err)
	}
	var first error
	for _, name := range names {
		used := cache.ImageUsed(folder, name)
		if used.After(since) {
			continue
		}
		item := Item{Name: name, Engine: engine.Name, Bytes: engine.ImageSize(ctx, name)}
		if !used.IsZero() {
			item.LastUsed = &used
		}
		if !pruned.DryRun {
			if err := engine.RemoveImage(ctx, name); err != nil {
				if first == nil {
					first = fmt.Errorf("removing image %s: %w", name, err)
				}
				continue
			}
		}
		pruned.Removed = append(pruned.Removed, item)
	}
	return first
}

// Notice returns a line about a large cache with unused files, and how to remove them; otherwise "".
func Notice(s *session.Session) string {
	if s.Builder == nil || s.Builder.Root == "" { // A bundle uses no cache.
		return ""
	}
	size := cache.Size(s.Builder.Cache)
	if size <= noticeAbove {
		return ""
	}
	unused, err := leftovers(s, cache.UnusedSince(DefaultUnused))
	if err != nil {
		return "" // A missing notice is better than an error.
	}
	var free int64
	for _, l := range unused {
		free += l.Size
	}
	return notice(size, free)
}

func notice(size, free int64) string {
	const gib = 1 << 30
	if size <= noticeAbove || free < gib {
		return ""
	}
	return fmt.Sprintf("The cache has %.1f GiB, of which %.1f were not used for a week; %s removes these.", float64(size)/gib, float64(free)/gib, hint.Run("prune"))
}
