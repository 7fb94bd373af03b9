package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// keptImages is how many images of the user's to keep, at least.
const keptImages = 3

// Given is an image of the user's that a container engine has. The id is the engine's for it, and save writes it to a file, as
// `docker save` does; an image that was saved before is read from the cache.
func (b *Builder) Given(reference, id string, save func(path string) error) (Image, error) {
	hash := sha256.Sum256([]byte(id))
	parent := filepath.Join(b.Cache, "given")
	dir, outputs := filepath.Join(parent, "image-"+hex.EncodeToString(hash[:8])), []string{"image.tar"}
	if !use(dir, outputs) {
		err := fill(dir, outputs, func(temporary string) error { return save(filepath.Join(temporary, outputs[0])) })
		if err != nil {
			return Image{}, fmt.Errorf("reading image %s: %w", reference, err)
		}
		prune(parent, "image", keptImages)
	}
	image, err := tarball.ImageFromPath(filepath.Join(dir, outputs[0]), nil)
	if err != nil {
		return Image{}, fmt.Errorf("reading image %s: %w", reference, err)
	}
	return Image{Names: []string{qualified(reference)}, image: image}, nil
}

// Pull gets an image of the user's from its registry.
func (r *Registry) Pull(ctx context.Context, reference string, report Report) (Image, error) {
	image, err := r.pull(ctx, report, reference)
	if err != nil {
		return Image{}, err
	}
	tagged, _, _ := strings.Cut(reference, "@")
	image.Names = []string{qualified(tagged)}
	return image, nil
}

// AsOperator is the image under a name of the sandbox's own, which has its digest: what a node has under it is this very image, and
// another one is another Pod.
func (i Image) AsOperator() (Image, error) {
	digest, err := i.image.Digest()
	if err != nil {
		return Image{}, fmt.Errorf("reading the digest of image %s: %w", i.Name(), err)
	}
	return local(OperatorProgram, digest.Hex[:16], i.image), nil
}

// qualified is an image's name as containerd's are, with host and tag.
func qualified(reference string) string {
	parsed, err := name.ParseReference(reference)
	if err != nil {
		return reference // Whoever loads it says what is wrong with it.
	}
	return strings.Replace(parsed.Name(), name.DefaultRegistry+"/", "docker.io/", 1)
}
