package build

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/layer"
	table "github.com/operator-tracing/sandbox/sandbox/component"
)

// Source builds every image from the modules under sandbox/source. It runs one `go build` at a
// time, because that uses every processor, and builds the root filesystem beside it, which mostly
// waits.
type Source struct {
	*Builder
	compiling sync.Mutex
}

var _ artifact.Provider = (*Source)(nil)

// NewSource returns a Source that builds with b.
func NewSource(b *Builder) *Source { return &Source{Builder: b} }

// Origin returns "source".
func (s *Source) Origin() string { return "source" }

func (s *Source) inTurn(ctx context.Context, c component, report artifact.Report) (string, error) {
	return s.exclusively(ctx, s.cached(c), report, func() (string, error) { return s.build(ctx, c, report) })
}

// exclusively runs a build while no other build runs. Cached builds do not wait.
func (s *Source) exclusively(ctx context.Context, cached bool, report artifact.Report, build func() (string, error)) (string, error) {
	if cached && ctx.Err() == nil {
		return build()
	}
	if !s.compiling.TryLock() {
		report.Say("waiting for another build")
		s.compiling.Lock()
	}
	defer s.compiling.Unlock()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return build()
}

// Images builds the images of a component of the table.
func (s *Source) Images(ctx context.Context, name string, report artifact.Report) ([]artifact.Image, error) {
	switch name {
	case table.ControlPlane:
		node, err := s.nodeImage(ctx, report)
		return []artifact.Image{node}, err
	case table.Sample:
		dir, err := s.inTurn(ctx, nodeInit, report)
		if err != nil {
			return nil, err
		}
		pause, err := s.pause(dir)
		return []artifact.Image{pause}, err
	}
	row := table.Named(name)
	if row.Source.Module == "" {
		return nil, fmt.Errorf("building %s: no sources of it", name)
	}
	return s.images(ctx, row, report)
}

// nodeImage builds the root filesystem, containerd, Kubernetes and the other components of a node.
func (s *Source) nodeImage(ctx context.Context, report artifact.Report) (artifact.Image, error) {
	if err := s.CanBuildNode(); err != nil {
		return artifact.Image{}, err
	}
	parts := nodeParts{dirs: map[string]string{}}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		parts.rootFS, err = s.buildRootFS(groupCtx)
		return err
	})
	group.Go(func() error {
		for i, c := range onNode {
			dir, err := s.inTurn(groupCtx, c, func(format string, args ...any) {
				report.Say("%s, %d to build: %s", c.name, len(onNode)-i, fmt.Sprintf(format, args...))
			})
			if err != nil {
				return err
			}
			parts.dirs[c.name] = dir
		}
		report.Say("waiting for the root filesystem")
		return nil
	})
	if err := group.Wait(); err != nil {
		return artifact.Image{}, err
	}
	var err error
	if parts.versions, err = s.Versions(); err != nil {
		return artifact.Image{}, err
	}
	return s.node(ctx, parts, report)
}

func (s *Source) images(ctx context.Context, row table.Component, report artifact.Report) ([]artifact.Image, error) {
	c, config := fromTable(row), v1.Config{User: row.Source.User}
	dir, err := s.inTurn(ctx, c, report)
	if err != nil {
		return nil, err
	}
	if row.Chart != nil {
		if _, err := s.Chart(ctx, row, report); err != nil {
			return nil, err
		}
	}
	tag := tagOf(row.Images[0]) + "-" + cache.KeyOf(dir)
	if len(row.Programs) == 1 {
		image, err := s.single(c.name, dir, row.Programs[0].Executable(), config)
		return []artifact.Image{artifact.Local(c.name, tag, image)}, err
	}
	programs, err := s.layer(c.name, cache.KeyOf(dir), func(string) ([]layer.File, error) {
		return linked(filepath.Join(dir, c.outputs[0]), "app", c.name, row.Binaries()...), nil
	})
	if err != nil {
		return nil, err
	}
	var images []artifact.Image
	for _, program := range row.Programs {
		config.Entrypoint = []string{"/app/" + program.Executable()}
		image, err := s.assemble(config, programs)
		if err != nil {
			return nil, fmt.Errorf("assembling the image of %s: %w", program.Name, err)
		}
		images = append(images, artifact.Local(program.Name, tag, image))
	}
	return images, nil
}

func tagOf(image string) string {
	tagged, _, _ := strings.Cut(image, "@")
	return tagged[strings.LastIndexByte(tagged, ':')+1:]
}

// Probe builds a small image whose program prints what a privileged container can do on the
// engine's host.
func (b *Builder) Probe(ctx context.Context) (artifact.Image, error) {
	dir, err := b.build(ctx, nodeInit, nil)
	if err != nil {
		return artifact.Image{}, err
	}
	image, err := b.single("probe", dir, "init", v1.Config{Cmd: []string{"probe"}})
	return artifact.Local("probe", cache.KeyOf(dir), image), err
}
