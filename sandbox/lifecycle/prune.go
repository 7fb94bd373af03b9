package lifecycle

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
)

// DefaultUnused is how long something in the cache must have been unused for [Sandbox.Prune] to take it away, if nothing else is asked for.
const DefaultUnused = 7 * 24 * time.Hour

// hintAbove is the size of a cache, in bytes, above which [Sandbox.CacheNotice] returns a notice.
const hintAbove = 10 << 30

// Pruned is the result of [Sandbox.Prune].
type Pruned struct {
	// DryRun is true if nothing was removed.
	DryRun bool `json:"dryRun"`
	// Removed are the removed things; files of the cache come first.
	Removed []PrunedThing `json:"removed"`
	// Bytes is their size.
	Bytes int64 `json:"bytes"`
	// CacheBytes is the size of the cache after the removal.
	CacheBytes int64 `json:"cacheBytes"`
	// Cache is its folder.
	Cache string `json:"cache"`
}

// PrunedThing is a file or folder of the cache, or an image of a container engine.
type PrunedThing struct {
	// Name is the path below the cache's folder, or the image's name.
	Name string `json:"name"`
	// Engine is the container engine that had the image; empty for a file.
	Engine string `json:"engine,omitempty"`
	// Bytes is its size. Removing an image frees less, since images share layers.
	Bytes int64 `json:"bytes"`
	// LastUsed is nil if it is unknown.
	LastUsed *time.Time `json:"lastUsed,omitempty"`
}

// Prune removes files from the cache that this version of the sandbox does not need and that were not
// used for a time, and removes images of the sandbox from the container engines that no container
// uses and no up used for that time; up loads them again from the cache. It keeps programs that run,
// and everything that was used within the last hour. With dryRun it removes nothing. After an error
// it continues, and returns the first error.
func (s *Sandbox) Prune(ctx context.Context, unused time.Duration, dryRun bool) (Pruned, error) {
	if err := s.UseBuilder(); err != nil {
		return Pruned{}, err
	}
	since := cache.UnusedSince(unused)
	pruned := Pruned{DryRun: dryRun, Removed: []PrunedThing{}, Cache: s.Builder.Cache}
	first := s.pruneCache(since, &pruned)
	for _, running := range engine.RunningEngines(ctx) {
		if err := s.pruneImages(ctx, running, since, &pruned); err != nil && first == nil {
			first = err
		}
	}
	if !dryRun {
		cache.ForgetImages(s.Builder.Cache, since)
	}
	for _, thing := range pruned.Removed {
		pruned.Bytes += thing.Bytes
	}
	pruned.CacheBytes = cache.Size(s.Builder.Cache)
	return pruned, first
}

func (s *Sandbox) pruneCache(since time.Time, pruned *Pruned) error {
	leftovers, err := s.leftovers(since)
	if err != nil {
		return err
	}
	var first error
	for _, l := range leftovers {
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
		pruned.Removed = append(pruned.Removed, PrunedThing{Name: name, Bytes: l.Size, LastUsed: &l.Used})
	}
	return first
}

// leftovers returns the unused files of the cache from which no process runs.
func (s *Sandbox) leftovers(since time.Time) ([]cache.Leftover, error) {
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

func (s *Sandbox) pruneImages(ctx context.Context, engine *engine.Engine, since time.Time, pruned *Pruned) error {
	names, err := engine.UnusedImages(ctx, artifact.LocalRepository)
	if err != nil {
		return fmt.Errorf("looking for the sandbox's images in %s: %w", engine.Name, err)
	}
	var first error
	for _, name := range names {
		used := cache.ImageUsed(s.Builder.Cache, name)
		if used.After(since) {
			continue
		}
		thing := PrunedThing{Name: name, Engine: engine.Name, Bytes: engine.ImageSize(ctx, name)}
		if !used.IsZero() {
			thing.LastUsed = &used
		}
		if !pruned.DryRun {
			if err := engine.RemoveImage(ctx, name); err != nil {
				if first == nil {
					first = fmt.Errorf("removing image %s: %w", name, err)
				}
				continue
			}
		}
		pruned.Removed = append(pruned.Removed, thing)
	}
	return first
}

// CacheNotice says in a line that the cache is large and how to make it smaller; it is empty unless both are so.
func (s *Sandbox) CacheNotice() string {
	if s.Builder == nil || s.Builder.Root == "" { // What came from a bundle is in no cache.
		return ""
	}
	size := cache.Size(s.Builder.Cache)
	if size <= hintAbove {
		return ""
	}
	leftovers, err := s.leftovers(cache.UnusedSince(DefaultUnused))
	if err != nil {
		return "" // A notice is not worth an error.
	}
	var free int64
	for _, l := range leftovers {
		free += l.Size
	}
	return cacheNotice(size, free)
}

func cacheNotice(size, free int64) string {
	const gib = 1 << 30
	if size <= hintAbove || free < gib {
		return ""
	}
	return fmt.Sprintf("The cache takes %.1f GiB, %.1f of them unused for a week: %s removes these.", float64(size)/gib, float64(free)/gib, hint.Run("prune"))
}
