package build

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/layer"
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

// inTurn builds a component while no other build runs. Cached builds do not wait.
func (s *Source) inTurn(ctx context.Context, c component, report artifact.Report) (string, error) {
	if ctx.Err() == nil && s.cached(c) {
		return s.build(ctx, c, report)
	}
	return s.exclusively(ctx, report, func() (string, error) { return s.build(ctx, c, report) })
}

// exclusively runs a build while no other build runs.
func (s *Source) exclusively(ctx context.Context, report artifact.Report, build func() (string, error)) (string, error) {
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

// Node builds the root filesystem, containerd, Kubernetes and the other components of a node.
func (s *Source) Node(ctx context.Context, report artifact.Report) (artifact.Image, error) {
	if err := CanBuildNode(); err != nil {
		return artifact.Image{}, err
	}
	parts := nodeParts{}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		parts.rootFS, err = s.buildRootFS(groupCtx)
		return err
	})
	group.Go(func() error {
		components := []struct {
			component component
			dir       *string
		}{{nodeInit, &parts.initDir}, {kubernetes, &parts.kubernetesDir}, {nodeTools, &parts.toolsDir}, {coreDNS, &parts.coreDNSDir}}
		for i, c := range components {
			dir, err := s.inTurn(groupCtx, c.component, func(format string, args ...any) {
				report.Say("%s, %d to build: %s", c.component.name, len(components)-i, fmt.Sprintf(format, args...))
			})
			if err != nil {
				return err
			}
			*c.dir = dir
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

// CertManager builds one binary for cert-manager's programs, and an image of it for each program.
func (s *Source) CertManager(ctx context.Context, report artifact.Report) ([]artifact.Image, error) {
	dir, err := s.inTurn(ctx, certManager, report)
	if err != nil {
		return nil, err
	}
	if _, err := s.Chart(ctx, report); err != nil {
		return nil, err
	}
	programs, err := s.layer("cert-manager", cache.KeyOf(dir), func(string) ([]layer.File, error) {
		return linked(filepath.Join(dir, "sandbox"), "app", "cert-manager", artifact.CertManagerPrograms...), nil
	})
	if err != nil {
		return nil, err
	}
	var images []artifact.Image
	for _, program := range artifact.CertManagerPrograms {
		image, err := s.assemble(v1.Config{Entrypoint: []string{"/app/" + program}, User: "1000"}, programs)
		if err != nil {
			return nil, fmt.Errorf("assembling the image of cert-manager's %s: %w", program, err)
		}
		images = append(images, artifact.Local("cert-manager-"+program, artifact.CertManagerVersion+"-"+cache.KeyOf(dir), image))
	}
	return images, nil
}

// Jaeger builds Jaeger from its own module.
func (s *Source) Jaeger(ctx context.Context, report artifact.Report) (artifact.Image, error) {
	dir, err := s.inTurn(ctx, jaeger, report)
	if err != nil {
		return artifact.Image{}, err
	}
	image, err := s.single("jaeger", dir, "jaeger", v1.Config{User: "10001"})
	return artifact.Local("jaeger", artifact.JaegerVersion+"-"+cache.KeyOf(dir), image), err
}

// Samples returns the pause image, which the node image has too.
func (s *Source) Samples(ctx context.Context, report artifact.Report) ([]artifact.Image, error) {
	dir, err := s.inTurn(ctx, nodeInit, report)
	if err != nil {
		return nil, err
	}
	image, err := s.pause(dir)
	return []artifact.Image{image}, err
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
