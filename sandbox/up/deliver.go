package up

import (
	"context"
	"slices"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
)

// GetImagesForExisting gets cert-manager's images and Jaeger's for an existing cluster, as far as it needs them from here.
func (r *Run) GetImagesForExisting(ctx context.Context, report report) error {
	if r.wanted.CertManager == "" {
		if err := r.certManagerForExisting(ctx, report); err != nil {
			return err
		}
	}
	switch {
	case r.wanted.JaegerEndpoint != "":
	case r.public:
		r.jaeger = artifact.New(nil, artifact.PublicJaeger())
	default:
		if err := r.GetJaegerImage(ctx, report); err != nil {
			return err
		}
	}
	r.Record.Images = r.images.Origin()
	report("%s", r.describeDelivery())
	return nil
}

func (r *Run) certManagerForExisting(ctx context.Context, report report) error {
	if !r.public {
		return r.GetCertManagerImages(ctx, report)
	}
	for _, reference := range artifact.PublicCertManager() {
		r.certManager = append(r.certManager, artifact.New(nil, reference))
	}
	return nil
}

// GetOperatorForExisting builds the operator, or gets its image.
func (r *Run) GetOperatorForExisting(ctx context.Context, report report) error {
	if !r.public {
		return r.GetOperatorImages(ctx, report)
	}
	r.operator = artifact.New(nil, r.project.File.Operator.Image)
	return nil
}

// DeliverImages gives the cluster what it needs beside the operator.
func (r *Run) DeliverImages(ctx context.Context, report report) error {
	images := slices.Clone(r.certManager)
	if len(r.jaeger.Names) > 0 {
		images = append(images, r.jaeger)
	}
	if r.nodes != nil {
		samples, err := r.images.Samples(ctx, report)
		if err != nil {
			return err
		}
		images = append(images, samples...)
	}
	return r.deliver(ctx, report, images...)
}

// DeliverOperator gives the cluster the operator.
func (r *Run) DeliverOperator(ctx context.Context, report report) error {
	images := []artifact.Image{r.operator}
	if r.nodes != nil { // The others are public, or the cluster knows where to find them.
		images = append(images, r.operatorImages...)
	}
	return r.deliver(ctx, report, images...)
}

func (r *Run) deliver(ctx context.Context, report report, images ...artifact.Image) error {
	switch {
	case len(images) == 0 || r.public:
		report("none to give")
		return nil
	case r.nodes != nil:
		var names []string
		for _, i := range images {
			names = append(names, i.Names...)
		}
		given, err := r.nodes.Import(ctx, names, archive(images...))
		if err == nil && given == 0 {
			report("the nodes have them")
		} else if err == nil {
			report("%d loaded", len(images))
		}
		return err
	}
	for _, i := range images {
		report("pushing %s", i.Name())
		reference, err := r.folder.Push(ctx, i)
		if err != nil {
			return err
		}
		r.setPushed(i.Name(), reference)
	}
	report("%d pushed to %s", len(images), r.wanted.Registry)
	return nil
}

// setPushed remembers where an image was pushed to. Two steps push at once.
func (r *Run) setPushed(name, reference string) {
	r.pushedMu.Lock()
	defer r.pushedMu.Unlock()
	if r.pushed == nil {
		r.pushed = map[string]manifest.Image{}
	}
	r.pushed[name] = manifest.Image{Ref: reference}
}

// reference is how the cluster names an image: on a node that has it, by its own name.
func (r *Run) reference(i artifact.Image) manifest.Image {
	if r.public {
		return manifest.Image{Ref: i.Name()}
	}
	r.pushedMu.Lock()
	defer r.pushedMu.Unlock()
	if pushed, has := r.pushed[i.Name()]; has {
		return pushed
	}
	return local(i)
}
