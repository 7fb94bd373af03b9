package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/cache"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

// answerTimeout is how long a registry may take to say whether it is there: behind a firewall that drops packets,
// nobody answers at all.
const answerTimeout = 5 * time.Second

// Registry pulls images for one platform, with the credentials of the user's docker or podman login. Layers are kept in
// the cache.
type Registry struct {
	builder *Builder
	digests map[string]string // what the tags must be
	options []remote.Option   // of every call, after the usual ones; tests stand in for registries by them
}

var _ Set = (*Registry)(nil)

// NewRegistry returns a Registry for b's platform and cache.
func NewRegistry(b *Builder) *Registry { return &Registry{builder: b, digests: digests} }

// Answers tells whether the registry of kind's node image answers; the error says why not.
func Answers(ctx context.Context, arch string) error {
	return answers(ctx, arch, answerTimeout)
}

func answers(ctx context.Context, arch string, timeout time.Duration, more ...remote.Option) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reference, err := name.ParseReference(defaults.Image)
	if err != nil {
		return fmt.Errorf("reading the name of kind's image: %w", err)
	}
	// Tried twice, soon: more tries would use the time up, and the error would be about that.
	again := remote.WithRetryBackoff(remote.Backoff{Duration: 200 * time.Millisecond, Steps: 2})
	_, err = remote.Head(reference, append(append(remoteOptions(ctx, arch), again), more...)...)
	return err
}

func remoteOptions(ctx context.Context, arch string) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}),
	}
}

// Origin is "registry".
func (r *Registry) Origin() string { return "registry" }

// Node is kind's own image, by the digest in kind's source.
func (r *Registry) Node(ctx context.Context, report Report) (Image, error) {
	return r.pull(ctx, report, defaults.Image)
}

// CertManager is cert-manager's published images.
func (r *Registry) CertManager(ctx context.Context, report Report) ([]Image, error) {
	var images []Image
	for _, program := range CertManagerPrograms {
		image, err := r.pull(ctx, report, certManagerRepository+program+":"+CertManagerVersion)
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	return images, nil
}

// Jaeger is Jaeger's published image.
func (r *Registry) Jaeger(ctx context.Context, report Report) (Image, error) {
	return r.pull(ctx, report, jaegerRepository+":"+JaegerVersion)
}

// Samples is two releases of Kubernetes' pause image.
func (r *Registry) Samples(ctx context.Context, report Report) ([]Image, error) {
	var images []Image
	for _, name := range []string{Pause, PauseOther} {
		image, err := r.pull(ctx, report, name)
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	return images, nil
}

// pull downloads the image of one platform that a reference leads to. The image is named by its tag: a node looks images up by name,
// and a digest in the name would be that of the index of all platforms.
func (r *Registry) pull(ctx context.Context, report Report, reference string) (Image, error) {
	report.say("pulling %s", reference)
	if digest, pinned := r.digests[reference]; pinned {
		reference += "@" + digest
	}
	parsed, err := name.ParseReference(reference)
	if err != nil {
		return Image{}, fmt.Errorf("reading the image name %q: %w", reference, err)
	}
	_, arch := r.builder.platform()
	image, err := remote.Image(parsed, append(remoteOptions(ctx, arch), r.options...)...)
	if err == nil {
		image = cache.Image(image, cache.NewFilesystemCache(filepath.Join(r.builder.Cache, "registry")))
		err = download(image)
	}
	if err != nil {
		return Image{}, fmt.Errorf("pulling %s: %w; use --images=source where no registry answers", reference, err)
	}
	tagged, _, _ := strings.Cut(reference, "@")
	if first, _, _ := strings.Cut(tagged, "/"); !strings.Contains(first, ".") {
		tagged = "docker.io/" + tagged // kind leaves the host out, containerd's names have it.
	}
	return Image{Names: []string{tagged}, image: image}, nil
}

// download reads an image whole, which leaves its layers in the cache. Left to itself the image would download each layer
// when it is first read: in a later step, when the context that it was asked for with has ended.
func download(image v1.Image) error {
	if _, err := image.RawConfigFile(); err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		content, err := layer.Compressed()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, content)
		if err := errors.Join(err, content.Close()); err != nil {
			return err
		}
	}
	return nil
}
