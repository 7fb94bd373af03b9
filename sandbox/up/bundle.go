package up

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/bundle"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// bundled is the origin of images that are a bundle's, on record.
const bundled = "bundle"

// UseBundle has the images come from a bundle: the one that was asked for, or that the sandbox was made of, unless another origin
// was asked for. It tells whether there is one. Commands that build don't call it.
func (r *Run) UseBundle() bool {
	r.bundlePath = r.Bundle
	if r.Bundle == "" && r.Images == "auto" && r.RegistryMirror == "" && r.Record.Images == bundled {
		r.bundlePath = r.Record.Bundle
	}
	return r.bundlePath != ""
}

// OpenBundle reads the bundle whole, before anything is changed.
func (r *Run) OpenBundle(ctx context.Context, report report) error {
	path, err := filepath.Abs(r.bundlePath)
	if err != nil {
		return fmt.Errorf("opening the bundle: %w", err)
	}
	if err := r.useProject(); err != nil {
		return err
	}
	if err := r.builtHere(); err != nil {
		return err
	}
	manifests, err := r.manifestsHash()
	if err != nil {
		return err
	}
	cache, err := state.CachePath()
	if err != nil {
		return err
	}
	report("reading all of %s", path)
	r.bundle, err = bundle.Open(ctx, path, cache, func(record bundle.Record) error {
		return record.Check("linux/"+runtime.GOARCH, manifests)
	})
	if errors.Is(err, fs.ErrNotExist) && r.Bundle == "" {
		return fmt.Errorf("%w: the sandbox %s was made of it; name where it is now by --bundle, or take images from elsewhere by --images", err, r.Name)
	}
	if err != nil {
		return err
	}
	r.images, r.Record.Bundle = r.bundle, path
	report("%s, images from %s, %d MB", r.bundle.Record.Platform, r.bundle.Record.Source, r.bundle.Summary().Size>>20)
	return nil
}

// builtHere is an error where the operator needs images that the sandbox does not build.
func (r *Run) builtHere() error {
	if others := r.manifests.OtherImages(); len(others) > 0 {
		return fmt.Errorf("%s needs %s: a bundle has no images of the user's", r.project.Name(), strings.Join(others, ", "))
	}
	if !r.manifests.Built() {
		return fmt.Errorf("%s names an image of its operator: a bundle has only operators that the sandbox builds (operator.build)", r.project.Name())
	}
	return nil
}

// manifestsHash tells the operator's manifests apart.
func (r *Run) manifestsHash() (string, error) {
	data, err := json.Marshal(r.manifests.Objects)
	if err != nil {
		return "", fmt.Errorf("hashing the operator's manifests: %w", err)
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(data)), nil
}

// probe is the image that engines are tried with.
func (r *Run) probe(ctx context.Context) (artifact.Image, error) {
	if r.bundle != nil {
		return r.bundle.Probe()
	}
	return r.builder.Probe(ctx)
}

// chart is the folder of cert-manager's chart.
func (r *Run) chart(ctx context.Context, report report) (string, error) {
	if r.bundle != nil {
		return r.bundle.Chart()
	}
	return r.builder.Chart(ctx, report)
}

// CreateBundle writes a bundle with everything that up needs for a kind cluster on machines like this one. It needs no engine.
func (r *Run) CreateBundle(ctx context.Context, path string, progress *ui.Progress) (bundle.Summary, error) {
	var summary bundle.Summary
	r.Record = state.Record{} // What the sandbox is made of is not what is asked for.
	if err := r.useBuilder(); err != nil {
		return summary, err
	}
	if err := r.useProject(); err != nil {
		return summary, err
	}
	if err := r.builtHere(); err != nil {
		return summary, err
	}
	// Asked for now: nobody wants to learn after a long build that there is no such folder.
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return summary, fmt.Errorf("writing bundle %s: there is no folder %s", path, filepath.Dir(path))
	}
	var contents bundle.Contents
	const limit = 35 * time.Minute
	err := Do(ctx, progress, []Step{
		{Name: "images", Limit: time.Minute, Run: r.ChooseImages},
		{Name: "node image", Limit: limit, Needs: []string{"images"}, Run: func(ctx context.Context, report report) (err error) {
			contents.Node, err = r.images.Node(ctx, report)
			return err
		}},
		{Name: "cert-manager images", Limit: limit, Run: r.GetCertManagerImages, Needs: []string{"images"}},
		{Name: "Jaeger image", Limit: limit, Run: r.GetJaegerImage, Needs: []string{"images"}},
		{Name: "operator image", Limit: limit, Run: r.GetOperatorImages, Needs: []string{"images"}},
		{Name: "small images", Limit: limit, Needs: []string{"images"}, Run: func(ctx context.Context, report report) (err error) {
			if contents.Samples, err = r.images.Samples(ctx, report); err != nil {
				return err
			}
			if contents.ChartDir, err = r.chart(ctx, report); err != nil {
				return err
			}
			contents.Probe, err = r.probe(ctx)
			return err
		}},
		{Name: "bundle", Limit: 30 * time.Minute, Needs: []string{"node image", "cert-manager images", "Jaeger image", "operator image", "small images"},
			Run: func(ctx context.Context, report report) (err error) {
				contents.Platform, contents.Sandbox, contents.Source = "linux/"+runtime.GOARCH, Version(), r.images.Origin()
				contents.CertManager, contents.Jaeger, contents.Operator = r.certManager, r.jaeger, r.operator
				if contents.Manifests, err = r.manifestsHash(); err != nil {
					return err
				}
				summary, err = bundle.Create(ctx, path, contents, report)
				report("%d MB", summary.Size>>20)
				return err
			}},
	})
	return summary, err
}

// Version is that of this program: a module's version, or the commit that it was built at, as far as Go wrote them down.
func Version() string {
	info, found := debug.ReadBuildInfo()
	if !found {
		return "unknown"
	}
	return info.Main.Version
}
