package build

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/gocmd"
	"github.com/operator-tracing/sandbox/sandbox/artifact/layer"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// OperatorProgram is the name of the operator's program, for any package name, and its path in its
// image.
const OperatorProgram = "operator"

// The minimal numbers of old builds to keep.
const (
	keptOperators = 5
	keptImages    = 3
)

// Program is an operator's program. Its Module is the path of a folder. A build of the same Sources
// is found in the cache without running Go. If Sources is empty, Go runs every time, with the user's
// own settings. It detects all changes, also of embedded files and of other modules in a workspace.
type Program = project.Build

// operatorOf returns the component of an operator that has Sources.
func operatorOf(p Program) component {
	return component{
		name: OperatorProgram, module: p.Module, sources: p.Sources, packages: []string{p.Main}, flags: p.Flags,
		outputs: []string{OperatorProgram}, rename: true, keep: keptOperators,
	}
}

// Operator builds an operator, unless the build is in the cache, and returns an image that has only
// the program and the certificates of the authorities that this machine trusts: operators call
// services.
func (b *Builder) Operator(ctx context.Context, p Program, report artifact.Report) (artifact.Image, error) {
	dir, err := b.program(ctx, p, report)
	if err != nil {
		return artifact.Image{}, err
	}
	return b.operatorImage(dir)
}

// program builds an operator, unless the build is in the cache. It returns its folder.
func (b *Builder) program(ctx context.Context, p Program, report artifact.Report) (string, error) {
	if len(p.Sources) > 0 {
		return b.build(ctx, operatorOf(p), report)
	}
	dir, err := b.runGo(ctx, p, report)
	if err != nil {
		return "", fmt.Errorf("building %s of %s: %w", p.Main, p.Module, err)
	}
	return dir, nil
}

// operatorConfig is the configuration of an operator's image.
var operatorConfig = v1.Config{User: "65532:65532", Env: []string{"HOME=/tmp"}}

// operatorImage returns an image of the program in a folder of the cache. Its name contains the
// hash of its content.
func (b *Builder) operatorImage(dir string) (artifact.Image, error) {
	certificates, trust, err := b.certificates()
	if err != nil {
		return artifact.Image{}, err
	}
	temporary, err := b.layer("tmp", "1", func(string) ([]layer.File, error) {
		return []layer.File{{Path: "tmp", Mode: 0o1777}}, nil // As in every base image.
	})
	if err != nil {
		return artifact.Image{}, err
	}
	key := cache.Key([]byte(cache.KeyOf(dir) + trust + "tmp"))
	below := []v1.Layer{temporary}
	if certificates != nil {
		below = append(below, certificates)
	}
	image, err := b.single(OperatorProgram, dir, OperatorProgram, operatorConfig, below...)
	if err != nil {
		return artifact.Image{}, err
	}
	return artifact.Local(OperatorProgram, key, image), nil
}

// runGo runs Go in the same place as for the previous build, which takes less than a second if
// nothing changed. It returns a folder of the cache that is named after the hash of the program.
func (b *Builder) runGo(ctx context.Context, p Program, report artifact.Report) (string, error) {
	start := time.Now()
	goos, goarch := b.platform()
	place := cache.Key(fmt.Appendf(nil, "%q", slices.Concat([]string{p.Module, p.Main, goos, goarch}, p.Flags)))
	folder := filepath.Join(b.Cache, cache.Operator, place)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("creating the cache folder: %w", cache.Remedy(err))
	}
	lock := flock.New(filepath.Join(folder, "lock")) // Two sandboxes can run the same operator.
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("waiting for another build of it: %w", err)
	}
	defer func() { _ = lock.Close() }() // The lock is also released when the process exits.
	latest := filepath.Join(folder, OperatorProgram)
	args := slices.Concat([]string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", latest}, p.Flags, []string{p.Main})
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = p.Module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	cmd.WaitDelay = 10 * time.Second // As in goCommand.
	if err := gocmd.Run(cmd, report); err != nil {
		return "", err
	}
	program, err := os.Open(latest)
	if err != nil {
		return "", fmt.Errorf("reading the build: %w", err)
	}
	defer program.Close()
	hash, _, err := v1.SHA256(program)
	if err != nil {
		return "", fmt.Errorf("reading the build: %w", err)
	}
	dir := b.built(OperatorProgram, hash.Hex[:16])
	found, err := cache.Ensure(dir, []string{OperatorProgram}, func(temporary string) error {
		// A copy: Go will overwrite the latest build, and a process can run from this one.
		if _, err := program.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return cache.WriteProgram(filepath.Join(temporary, OperatorProgram), program, os.O_TRUNC)
	})
	if err != nil {
		return "", err
	}
	b.finished(OperatorProgram, found, keptOperators, start, report)
	return dir, nil
}

// Given returns an image of the user's from a container engine. id is the engine's identifier of
// the image, and save writes the image to a file as `docker save` does. An image that was saved
// before is read from the cache.
func (b *Builder) Given(reference, id string, save func(path string) error) (artifact.Image, error) {
	const archive = "image.tar"
	parent := filepath.Join(b.Cache, cache.Given)
	dir := filepath.Join(parent, "image-"+cache.Key([]byte(id)))
	found, err := cache.Ensure(dir, []string{archive}, func(temporary string) error { return save(filepath.Join(temporary, archive)) })
	if err != nil {
		return artifact.Image{}, fmt.Errorf("reading image %s: %w", reference, err)
	}
	if !found {
		cache.Prune(parent, "image", keptImages)
	}
	image, err := tarball.ImageFromPath(filepath.Join(dir, archive), nil)
	if err != nil {
		return artifact.Image{}, fmt.Errorf("reading image %s: %w", reference, err)
	}
	return artifact.New(image, artifact.Qualified(reference)), nil
}
