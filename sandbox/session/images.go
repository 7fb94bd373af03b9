package session

import (
	"context"
	"fmt"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
)

// ChooseImages sets ImageSource: a bundle that was opened, the origin that the user chose, the
// origin that the cluster was created from, a registry if one answers, or else the sources.
func (s *Session) ChooseImages(ctx context.Context, report Report) error {
	if s.ImageSource != nil { // The choice between kind and embedded depended on it.
		report("from %s", s.ImageSource.Origin())
		return nil
	}
	registry, source := artifact.NewRegistry(s.Builder.Cache, s.Builder.Arch, s.Builder.Mirror), build.NewSource(s.Builder)
	origin := s.Options.Images
	if origin == "auto" && s.Record.Images != "" && s.Record.Name == s.Name && !s.Record.Creating {
		origin = s.Record.Images // A change would recreate the cluster. An unfinished one is recreated anyway.
	}
	switch origin {
	case "registry":
		s.ImageSource = registry
	case "source":
		s.ImageSource = source
	default:
		s.ImageSource = artifact.NewFallback(registry, source, s.Builder.CanBuildNode, s.Note)
		if err := registry.Answers(ctx); err != nil {
			report("no registry answers (%s)", strings.Join(strings.Fields(err.Error()), " "))
			s.ImageSource = source
		}
	}
	report("from %s", s.ImageSource.Origin())
	return nil
}

// Mirror returns the registry mirror that the options name; the zero Mirror if they name none.
func (s *Session) Mirror() (artifact.Mirror, error) {
	if s.RegistryMirror == "" {
		return artifact.Mirror{}, nil
	}
	return artifact.NewMirror(s.RegistryMirror, s.RegistryPins)
}

// Probe returns the image that tests whether a container engine works.
func (s *Session) Probe(ctx context.Context) (artifact.Image, error) {
	if s.bundle != nil {
		return s.bundle.Probe()
	}
	return s.Builder.Probe(ctx)
}

// Chart returns the folder of a component's chart.
func (s *Session) Chart(ctx context.Context, c component.Component, report Report) (string, error) {
	if s.bundle != nil {
		return s.bundle.Chart(c)
	}
	return s.Builder.Chart(ctx, c, report)
}

// Operator builds the operator's image, or gets it. engine, which can be nil, may have it.
func (s *Session) Operator(ctx context.Context, engine *engine.Engine, report Report) (artifact.Image, error) {
	if s.bundle != nil {
		return s.bundle.OperatorImage()
	}
	if s.Manifests.Built() {
		return s.Builder.Operator(ctx, s.Program(), report)
	}
	given, err := s.givenImage(ctx, engine, s.Project.File.Operator.Image, report)
	if err != nil {
		return artifact.Image{}, err
	}
	return given.AsOperator()
}

// OtherImages returns the images beside the operator's in its manifests and its sandbox.yaml.
func (s *Session) OtherImages(ctx context.Context, engine *engine.Engine, report Report) ([]artifact.Image, error) {
	var images []artifact.Image
	for _, name := range s.Manifests.OtherImages() {
		image, err := s.givenImage(ctx, engine, name, report)
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	return images, nil
}

// givenImage gets an image of the user from the container engine, which may have built it, or else
// from its registry.
func (s *Session) givenImage(ctx context.Context, engine *engine.Engine, name string, report Report) (artifact.Image, error) {
	if engine != nil {
		if id, has := engine.ImageID(ctx, name); has {
			report("%s, from %s", name, engine.Name)
			return s.Builder.Given(name, id, func(path string) error { return engine.SaveImage(ctx, name, path) })
		}
	}
	pulled, err := artifact.NewRegistry(s.Builder.Cache, s.Builder.Arch, s.Builder.Mirror).Pull(ctx, name, report)
	if err != nil && engine != nil {
		return artifact.Image{}, fmt.Errorf("getting image %s, which %s does not have: %w", name, engine.Name, err)
	}
	return pulled, err
}
