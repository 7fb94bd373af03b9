package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/debian"
)

type rootFS struct {
	archive  string // path of the uncompressed tar archive
	packages string // installed packages: "name=version", separated by commas
}

// rootFSFolder returns the folder of the root filesystem in the cache. Debian's packages have the
// versions of the day, so the key contains the requested packages, and the installed versions are
// kept beside the archive and become a label of the image.
func (b *Builder) rootFSFolder() string {
	_, arch := b.platform()
	key := cache.Key([]byte(debian.Requested(arch)))
	return filepath.Join(b.Cache, cache.RootFS, debian.Release+"-"+key)
}

func (b *Builder) buildRootFS(ctx context.Context) (rootFS, error) {
	dir, start := b.rootFSFolder(), time.Now()
	fs := rootFS{archive: filepath.Join(dir, debian.Outputs[0])}
	found, err := cache.Ensure(dir, debian.Outputs, func(temporary string) error {
		if err := debian.Available(); err != nil {
			return err
		}
		_, arch := b.platform()
		if err := debian.Bootstrap(ctx, arch, temporary); err != nil {
			return fmt.Errorf("building the node's root filesystem: %w", err)
		}
		return nil
	})
	if err != nil {
		return fs, err
	}
	b.finished("root filesystem", found, 0, start, nil)
	packages, err := os.ReadFile(filepath.Join(dir, debian.Outputs[1]))
	if err != nil {
		return fs, fmt.Errorf("reading the root filesystem's packages: %w", err)
	}
	fs.packages = strings.Join(strings.Fields(string(packages)), ",")
	return fs, nil
}

// CanBuildNode returns nil if this machine can build the node's image from source, and otherwise an
// error with a remedy. A root filesystem in the cache needs no Debian tools. b can be nil.
func (b *Builder) CanBuildNode() error {
	if b != nil && cache.Complete(b.rootFSFolder(), debian.Outputs) {
		return nil
	}
	return debian.Available()
}
