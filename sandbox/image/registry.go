package image

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

// answerTimeout is how long a registry may take to say whether it is there: behind a firewall that drops packets,
// nobody answers at all.
const answerTimeout = 5 * time.Second

// Registry pulls images for one platform, with the credentials of the user's docker or podman login. What it pulled is kept in
// the cache: an image that is pinned by digest needs no registry the second time.
type Registry struct {
	builder   *Builder
	mirror    Mirror
	digests   map[string]string // what the tags must be
	transport http.RoundTripper // tests stand in for registries by it
	wait      func(*http.Request, time.Duration) error
	backoff   remote.Backoff
}

var _ Set = (*Registry)(nil)

// NewRegistry returns a Registry for b's platform and cache, which asks the mirror in place of all registries. The zero Mirror
// is none.
func NewRegistry(b *Builder, mirror Mirror) *Registry {
	r := &Registry{
		builder: b, mirror: mirror, digests: digests, transport: remote.DefaultTransport, wait: pause,
		backoff: remote.Backoff{Duration: time.Second, Factor: 3, Jitter: 0.1, Steps: 3},
	}
	if mirror.pins != nil {
		r.digests = mirror.pins
	}
	return r
}

// Answers tells whether the registry of kind's node image answers; the error says why not. An image that was pulled before is
// answer enough.
func (r *Registry) Answers(ctx context.Context) error { return r.answers(ctx, answerTimeout) }

func (r *Registry) answers(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, _, found := r.stored(defaults.Image); found {
		return nil
	}
	reference, err := r.reference(defaults.Image)
	if err != nil {
		return err
	}
	// Tried twice, soon: more tries would use the time up, and the error would be about that.
	again := remote.WithRetryBackoff(remote.Backoff{Duration: 200 * time.Millisecond, Steps: 2})
	options := append(r.options(ctx, nil), again, remote.WithTransport(r.transport))
	_, err = remote.Head(reference, options...)
	return err
}

func (r *Registry) platform() v1.Platform {
	_, arch := r.builder.platform()
	return v1.Platform{OS: "linux", Architecture: arch}
}

func (r *Registry) options(ctx context.Context, report Report) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithPlatform(r.platform()),
		remote.WithTransport(courtesy{base: r.transport, report: report, wait: r.wait}),
		remote.WithRetryBackoff(r.backoff),
		// Those that courtesy leaves: a registry's own trouble.
		remote.WithRetryStatusCodes(http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout),
	}
}

// Origin is "registry".
func (r *Registry) Origin() string { return "registry" }

// Node is kind's own image, by the digest in kind's source. A node image that the sandbox built, in a mirror, has the name
// that it has where it is built: a cluster is the same from both.
func (r *Registry) Node(ctx context.Context, report Report) (Image, error) {
	node, err := r.pull(ctx, report, defaults.Image)
	if err != nil {
		return Image{}, err
	}
	versions, own, err := node.NodeVersions()
	if err != nil || !own {
		return node, err
	}
	return nodeImage(versions, node.image)
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

// pull gets the image of one platform that a reference leads to, whole: left to itself the image would download each layer when
// it is first read, in a later step, when the context that it was asked for with has ended. The image is named by its
// tag: a node looks images up by name, and a digest in the name would be that of the index of all platforms.
func (r *Registry) pull(ctx context.Context, report Report, wanted string) (Image, error) {
	tagged, _, _ := strings.Cut(wanted, "@")
	if first, _, _ := strings.Cut(tagged, "/"); !strings.Contains(first, ".") {
		tagged = "docker.io/" + tagged // kind leaves the host out, containerd's names have it.
	}
	if image, kept, found := r.stored(wanted); found {
		report.say("%s is in the cache (%s)", tagged, kept)
		return Image{Names: []string{tagged}, image: image}, nil
	}
	reference, err := r.reference(wanted)
	if err != nil {
		return Image{}, err
	}
	report.say("pulling %s from %s", tagged, reference.Context().RegistryStr())
	image, err := r.download(ctx, report, reference)
	if err != nil {
		return Image{}, r.pullError(ctx, tagged, reference, err)
	}
	return Image{Names: []string{tagged}, image: image}, nil
}

// download gets an image into the cache. Everything that comes is held against its digest: the first answer against the
// reference's, if that has one, and the rest against those that the answer names.
func (r *Registry) download(ctx context.Context, report Report, reference name.Reference) (v1.Image, error) {
	answer, err := remote.Get(reference, r.options(ctx, report)...)
	if err != nil {
		return nil, err
	}
	image, err := answer.Image()
	if err != nil {
		return nil, err
	}
	return r.store().keep(answer.Manifest, answer.Digest, image)
}

func (r *Registry) store() store { return newStore(filepath.Join(r.builder.Cache, registryFolder)) }

// stored finds an image in the cache: only one that is pinned, since what a tag is now the registry alone knows.
func (r *Registry) stored(wanted string) (image v1.Image, digest v1.Hash, found bool) {
	_, pin, err := r.pinned(wanted)
	if err != nil || pin == "" {
		return nil, v1.Hash{}, false
	}
	digest, err = v1.NewHash(pin)
	if err != nil {
		return nil, v1.Hash{}, false
	}
	image, err = r.store().find(digest, r.platform())
	return image, digest, err == nil
}

// pinned cuts a reference into its tagged name and the digest that it must have, which is "" for any.
func (r *Registry) pinned(wanted string) (tagged name.Tag, digest string, err error) {
	text, digest, _ := strings.Cut(wanted, "@")
	tagged, err = name.NewTag(text)
	if err != nil {
		return tagged, "", fmt.Errorf("reading the image name %q: %w", wanted, err)
	}
	if pin, found := r.digests[tagged.Name()]; found {
		digest = pin
	}
	return tagged, digest, nil
}

// reference is what to ask for: at the mirror, if there is one.
func (r *Registry) reference(wanted string) (name.Reference, error) {
	tagged, digest, err := r.pinned(wanted)
	if err != nil {
		return nil, err
	}
	repository := r.mirror.repository(tagged.Context())
	if digest != "" {
		return repository.Digest(digest), nil
	}
	return repository.Tag(tagged.TagStr()), nil
}
