package image

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Source builds every image from the modules under sandbox/source. It lets one long build run at a time, because
// `go build` uses every processor by itself; debootstrap, which mostly waits, runs beside them.
type Source struct {
	*Builder
	compiling sync.Mutex
}

var _ Set = (*Source)(nil)

// NewSource returns a Source that builds with b.
func NewSource(b *Builder) *Source { return &Source{Builder: b} }

// Origin is "source".
func (s *Source) Origin() string { return "source" }

// inTurn builds one component when no other is being built. What is in the cache waits for nobody.
func (s *Source) inTurn(ctx context.Context, c component, report Report) (string, error) {
	if ctx.Err() == nil && s.cached(c) {
		return s.build(ctx, c, report)
	}
	return s.alone(ctx, report, func() (string, error) { return s.build(ctx, c, report) })
}

// alone runs a build when no other runs.
func (s *Source) alone(ctx context.Context, report Report, build func() (string, error)) (string, error) {
	if !s.compiling.TryLock() {
		report.say("waiting for its turn")
		s.compiling.Lock()
	}
	defer s.compiling.Unlock()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return build()
}

// Init is the folder with the node's init, which is the engine's probe too.
func (s *Source) Init(ctx context.Context) (string, error) { return s.inTurn(ctx, nodeInit, nil) }

// Node builds the root filesystem, containerd, Kubernetes and the rest of a node.
func (s *Source) Node(ctx context.Context, report Report) (Image, error) {
	if err := CanBuildNode(); err != nil {
		return Image{}, err
	}
	type rootResult struct {
		fs  rootFS
		err error
	}
	root := make(chan rootResult, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		fs, err := s.buildRootFS(ctx, nil)
		root <- rootResult{fs, err}
	}()

	var parts nodeParts
	err := s.components(ctx, report, []target{
		{nodeInit, &parts.initDir}, {kubernetes, &parts.kubernetesDir}, {nodeTools, &parts.toolsDir}, {coreDNS, &parts.coreDNSDir},
	})
	if err != nil {
		cancel()
		<-root // debootstrap must have ended before its folder can be given up.
		return Image{}, err
	}
	report.say("waiting for the root filesystem (debootstrap)")
	result := <-root
	if result.err != nil {
		return Image{}, result.err
	}
	parts.rootFS = result.fs
	if parts.versions, err = s.Versions(); err != nil {
		return Image{}, err
	}
	return s.node(ctx, parts, report)
}

// target is a component and where to put the folder that it was built into.
type target struct {
	component component
	dir       *string
}

// components builds several components and says how many are left.
func (s *Source) components(ctx context.Context, report Report, targets []target) error {
	for i, t := range targets {
		left := len(targets) - i
		dir, err := s.inTurn(ctx, t.component, func(format string, args ...any) {
			report.say("%s, %d to build: %s", t.component.name, left, fmt.Sprintf(format, args...))
		})
		if err != nil {
			return err
		}
		*t.dir = dir
	}
	return nil
}

// CertManager builds one binary for cert-manager's programs, and an image for each from it.
func (s *Source) CertManager(ctx context.Context, report Report) ([]Image, error) {
	dir, err := s.inTurn(ctx, certManager, report)
	if err != nil {
		return nil, err
	}
	if _, err := s.Chart(ctx, report); err != nil {
		return nil, err
	}
	layer, err := s.layer("cert-manager", keyOf(dir), func(string) ([]file, error) {
		return linked(filepath.Join(dir, "sandbox"), "app", "cert-manager", CertManagerPrograms...), nil
	})
	if err != nil {
		return nil, err
	}
	goos, goarch := s.platform()
	var images []Image
	for _, program := range CertManagerPrograms {
		image, err := assemble(goos, goarch, v1.Config{Entrypoint: []string{"/app/" + program}, User: "1000"}, layer)
		if err != nil {
			return nil, fmt.Errorf("assembling the image of cert-manager's %s: %w", program, err)
		}
		images = append(images, local("cert-manager-"+program, CertManagerVersion+"-"+keyOf(dir), image))
	}
	return images, nil
}

// Jaeger builds Jaeger from its own module.
func (s *Source) Jaeger(ctx context.Context, report Report) (Image, error) {
	dir, err := s.inTurn(ctx, jaeger, report)
	if err != nil {
		return Image{}, err
	}
	image, err := s.single("jaeger", filepath.Join(dir, "jaeger"), "jaeger", keyOf(dir), v1.Config{User: "10001"})
	if err != nil {
		return Image{}, err
	}
	return local("jaeger", JaegerVersion+"-"+keyOf(dir), image), nil
}

// Samples is the pause image, which the node image carries already.
func (s *Source) Samples(ctx context.Context, report Report) ([]Image, error) {
	dir, err := s.inTurn(ctx, nodeInit, report)
	if err != nil {
		return nil, err
	}
	image, err := s.single("pause", filepath.Join(dir, "pause"), "pause", keyOf(dir), v1.Config{User: "65535:65535"})
	if err != nil {
		return nil, err
	}
	return []Image{{Names: []string{Pause, PauseOther}, image: image}}, nil
}

// Probe is a small image whose program prints what a privileged container gets on the engine's host.
func (b *Builder) Probe(ctx context.Context) (Image, error) {
	dir, err := b.build(ctx, nodeInit, nil)
	if err != nil {
		return Image{}, err
	}
	image, err := b.single("probe", filepath.Join(dir, "init"), "init", keyOf(dir), v1.Config{Cmd: []string{"probe"}})
	if err != nil {
		return Image{}, err
	}
	return local("probe", keyOf(dir), image), nil
}

// local names an image that only this machine knows.
func local(name, tag string, image v1.Image) Image {
	return Image{Names: []string{LocalRepository + name + ":" + tag}, image: image}
}
