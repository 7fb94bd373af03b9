package up

import (
	"context"
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
)

// GetOperatorImages builds the operator, or gets its image, and gets the other images that its manifests and its sandbox.yaml
// name: nodes never pull.
func (r *Run) GetOperatorImages(ctx context.Context, report report) (err error) {
	if err := r.useBuilder(); err != nil {
		return err
	}
	if r.operator, err = r.operatorImage(ctx, report); err != nil {
		return err
	}
	r.operatorImages = nil
	if r.existing && r.nodes == nil {
		return nil // The cluster pulls them itself.
	}
	for _, name := range r.manifests.OtherImages() {
		other, err := r.givenImage(ctx, name, report)
		if err != nil {
			return err
		}
		r.operatorImages = append(r.operatorImages, other)
	}
	return nil
}

func (r *Run) operatorImage(ctx context.Context, report report) (artifact.Image, error) {
	if r.bundle != nil {
		return r.bundle.Operator()
	}
	if r.manifests.Built() {
		return r.builder.Operator(ctx, r.program(), report)
	}
	given, err := r.givenImage(ctx, r.project.File.Operator.Image, report)
	if err != nil {
		return artifact.Image{}, err
	}
	return given.AsOperator()
}

// givenImage gets an image of the user's: from the container engine, where it may have been built a moment ago, else from its
// registry.
func (r *Run) givenImage(ctx context.Context, name string, report report) (artifact.Image, error) {
	if r.engine != nil {
		if id, has := r.engine.ImageID(ctx, name); has {
			report("%s, from %s", name, r.engine.Name)
			return r.builder.Given(name, id, func(path string) error { return r.engine.SaveImage(ctx, name, path) })
		}
	}
	mirror, err := r.mirror()
	if err != nil {
		return artifact.Image{}, err
	}
	pulled, err := artifact.NewRegistry(r.builder.Cache, r.builder.Arch, mirror).Pull(ctx, name, report)
	if err != nil && r.engine != nil {
		return artifact.Image{}, fmt.Errorf("getting image %s, which %s does not have: %w", name, r.engine.Name, err)
	}
	return pulled, err
}
