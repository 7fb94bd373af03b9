package image

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is a container image with the names it goes by. It is safe for use by several goroutines.
type Image struct {
	// Names are the references that the image is loaded under; the first is the one to run it by.
	Names []string
	image v1.Image
}

// Name is the reference to run the image by.
func (i Image) Name() string { return i.Names[0] }

// Digest is the digest of the image's manifest ("sha256:…").
func (i Image) Digest() (string, error) {
	digest, err := i.image.Digest()
	if err != nil {
		return "", fmt.Errorf("reading the digest of image %s: %w", i.Name(), err)
	}
	return digest.String(), nil
}

// Archive writes images as one archive that `docker load`, `podman load` and `ctr images import` read. It holds a
// single platform: engines with a containerd store refuse archives that name platforms whose layers are missing.
func Archive(out io.Writer, images ...Image) error {
	byName := map[name.Reference]v1.Image{}
	for _, i := range images {
		for _, n := range i.Names {
			reference, err := name.ParseReference(n)
			if err != nil {
				return fmt.Errorf("reading the image name %q: %w", n, err)
			}
			byName[reference] = i.image
		}
	}
	if err := tarball.MultiRefWrite(byName, out); err != nil {
		return fmt.Errorf("writing an image archive: %w", err)
	}
	return nil
}

// sourceLabel marks images that the sandbox built, for whoever gets them from elsewhere.
const sourceLabel = "operator-tracing.from-source"

// FromSource tells whether the sandbox built an image, wherever it comes from.
func (i Image) FromSource() (bool, error) {
	config, err := i.image.ConfigFile()
	if err != nil {
		return false, fmt.Errorf("reading the configuration of image %s: %w", i.Name(), err)
	}
	return config.Config.Labels[sourceLabel] != "", nil
}

// assemble puts layers together to an image for a platform.
func assemble(goos, goarch string, config v1.Config, layers ...v1.Layer) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.AppendLayers(base, layers...)
	if err != nil {
		return nil, fmt.Errorf("adding layers: %w", err)
	}
	configFile, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the image's configuration: %w", err)
	}
	configFile = configFile.DeepCopy()
	config.Labels = maps.Clone(config.Labels)
	if config.Labels == nil {
		config.Labels = map[string]string{}
	}
	config.Labels[sourceLabel] = "true"
	configFile.OS, configFile.Architecture, configFile.Config = goos, goarch, config
	return mutate.ConfigFile(image, configFile)
}

// layer makes, or finds in the cache, the layer with these files. The key must change whenever the files do.
func (b *Builder) layer(name, key string, files func(scratch string) ([]file, error)) (v1.Layer, error) {
	dir := filepath.Join(b.Cache, "layers", name+"-"+key)
	outputs := []string{"layer.tar"}
	if !use(dir, outputs) {
		err := fill(dir, outputs, func(temporary string) error {
			scratch := filepath.Join(temporary, "scratch")
			if err := os.Mkdir(scratch, 0o755); err != nil {
				return err
			}
			defer os.RemoveAll(scratch)
			content, err := files(scratch)
			if err != nil {
				return err
			}
			return writeLayer(filepath.Join(temporary, "layer.tar"), content)
		})
		if err != nil {
			return nil, fmt.Errorf("making layer %s: %w", name, err)
		}
	}
	return openLayer(filepath.Join(dir, "layer.tar"))
}

// keyOf is a layer's key from a folder in the cache, whose name ends in the hash of what it was made from.
func keyOf(folder string) string {
	base := filepath.Base(folder)
	return base[max(0, len(base)-16):]
}

// New is an image that others read, with the names it goes by, of which there must be one.
func New(content v1.Image, names ...string) Image { return Image{Names: names, image: content} }

// Content is the image itself.
func (i Image) Content() v1.Image { return i.image }
