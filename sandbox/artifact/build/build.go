// Package build builds images and programs from source: the Go modules pinned under sandbox/source
// with `go build`, the node's root filesystem from Debian packages, and images of both with
// go-containerregistry. It uses no Dockerfile and no daemon.
//
// [Source] provides the images of a sandbox, [Programs] the programs of one without a container
// engine.
//
// Builds are kept in the cache under a hash of everything that they are made from, so that Go is
// only needed for builds that are missing there. Builds of the operator, which changes often, are
// pruned after each new one: the five most recently used ones are kept, and those used within the
// hour.
package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/gocmd"
)

// Builder compiles components into the cache. Its fields must not change while it is used. Its
// methods can be called by several goroutines, but one `go build` already uses every processor.
type Builder struct {
	// Root is the repository's root folder, which has the sources.
	Root string
	// Cache is the cache folder; see state.CachePath.
	Cache string
	// OS and Arch are the target's GOOS (default linux) and GOARCH (default this machine's).
	OS, Arch string
	// Mirror is the registry that published programs come from; its pins are a part of their keys.
	Mirror artifact.Mirror
	// Built, if not nil, is called for every component that was not found in the cache.
	Built func(component string, took time.Duration)
}

func (b *Builder) platform() (goos, goarch string) {
	goos, goarch = b.OS, b.Arch
	if goos == "" {
		goos = "linux"
	}
	if goarch == "" {
		goarch = runtime.GOARCH
	}
	return goos, goarch
}

func (b *Builder) built(name, key string) string {
	return filepath.Join(b.Cache, cache.Programs, name+"-"+key)
}

// build returns the folder with c's binaries. It compiles them unless they are in the cache.
func (b *Builder) build(ctx context.Context, c component, report artifact.Report) (string, error) {
	key, stamps, err := b.key(c)
	if err != nil {
		return "", fmt.Errorf("building %s: %w", c.name, err)
	}
	dir, start := b.built(c.name, key), time.Now()
	found, err := cache.Ensure(dir, c.outputs, func(temporary string) error {
		if err := b.compile(ctx, c, stamps, temporary, report); err != nil {
			return err
		}
		if !cache.Complete(temporary, c.outputs) {
			return fmt.Errorf("go build did not create %s", strings.Join(c.outputs, ", "))
		}
		return c.link(temporary)
	})
	if err != nil {
		return "", fmt.Errorf("building %s: %w", c.name, err)
	}
	b.finished(c.name, found, c.keep, start, report)
	return dir, nil
}

// finished reports a build. After a new one it prunes old ones, unless keep is 0.
func (b *Builder) finished(name string, found bool, keep int, start time.Time, report artifact.Report) {
	if found {
		report.Say("cached")
		return
	}
	report.Say("built") // The last message stays beside the step.
	if b.Built != nil {
		b.Built(name, time.Since(start))
	}
	if keep > 0 {
		cache.Prune(filepath.Join(b.Cache, cache.Programs), name, keep)
		cache.Prune(filepath.Join(b.Cache, cache.Layers), name, keep)
	}
}

func (b *Builder) cached(c component) bool {
	key, _, err := b.key(c)
	return err == nil && cache.Complete(b.built(c.name, key), c.outputs)
}

// compile runs `go build` for c into dir. CGO_ENABLED and -trimpath are the same for everything in
// this project, tests and linters included: with others, Go would compile Kubernetes once more.
func (b *Builder) compile(ctx context.Context, c component, stamps []string, dir string, report artifact.Report) error {
	ldflags := "-s -w"
	for _, s := range stamps {
		ldflags += " -X " + s
	}
	out := dir + string(filepath.Separator)
	if c.rename {
		out += c.outputs[0]
	}
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=" + ldflags, "-o", out}
	if c.tags != "" {
		args = append(args, "-tags="+c.tags)
	}
	args = append(args, c.flags...)
	return gocmd.Run(b.goCommand(ctx, c.module, append(args, c.packages...)...), report)
}

// goCommand returns a go command for the target's platform in a module's folder. It uses the
// go.work of that folder, which is part of a build's key, and no other one.
func (b *Builder) goCommand(ctx context.Context, folder string, args ...string) *exec.Cmd {
	goos, goarch := b.platform()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.folder(folder)
	workspace := filepath.Join(cmd.Dir, goWork)
	if !exists(workspace) {
		workspace = "off"
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK="+workspace, "GOOS="+goos, "GOARCH="+goarch)
	cmd.WaitDelay = 10 * time.Second // Compilers that go started can hold the pipe a little longer than go.
	return cmd
}

// folder returns a module's folder: below the root, unless it is an absolute path.
func (b *Builder) folder(module string) string {
	if filepath.IsAbs(module) {
		return module
	}
	return filepath.Join(b.Root, module)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
