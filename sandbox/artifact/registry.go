package artifact

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// answerTimeout is how long a registry may take to answer. A firewall that drops packets never
// answers.
const answerTimeout = 5 * time.Second

// Registry pulls images for one platform, with the credentials of the user's docker or podman
// login. It keeps pulled images in the cache. An image that is pinned by digest needs the registry
// only once.
type Registry struct {
	folder    string // the cache
	arch      string
	mirror    Mirror
	transport http.RoundTripper // tests replace registries here
	wait      func(*http.Request, time.Duration) error
	backoff   remote.Backoff
}

var _ Provider = (*Registry)(nil)

// NewRegistry returns a Registry for a cache folder and an architecture; the empty one is this
// machine's. It uses the mirror in place of all registries, unless the mirror is the zero value.
func NewRegistry(folder, arch string, mirror Mirror) *Registry {
	r := &Registry{
		folder: folder, arch: arch, mirror: mirror, transport: remote.DefaultTransport, wait: pause,
		backoff: remote.Backoff{Duration: time.Second, Factor: 3, Jitter: 0.1, Steps: 3},
	}
	if arch == "" {
		r.arch = runtime.GOARCH
	}
	return r
}

// Answers returns nil if the registry of kind's node image answers, or if that image is in the
// cache.
func (r *Registry) Answers(ctx context.Context) error {
	return r.answers(ctx, component.Named(component.ControlPlane).Images[0], answerTimeout)
}

func (r *Registry) answers(ctx context.Context, image string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, _, found := r.stored(image); found {
		return nil
	}
	reference, err := r.reference(image)
	if err != nil {
		return err
	}
	// Two quick tries: more would exceed the timeout and hide the error.
	again := remote.WithRetryBackoff(remote.Backoff{Duration: 200 * time.Millisecond, Steps: 2})
	_, err = remote.Head(reference, append(r.options(ctx, nil), again, remote.WithTransport(r.transport))...)
	return err
}

func (r *Registry) platform() v1.Platform { return v1.Platform{OS: "linux", Architecture: r.arch} }

func (r *Registry) options(ctx context.Context, report Report) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithPlatform(r.platform()),
		remote.WithTransport(retryTransport{base: r.transport, report: report, wait: r.wait}),
		remote.WithRetryBackoff(r.backoff),
		// Server errors. retryTransport retries 429.
		remote.WithRetryStatusCodes(http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout),
	}
}

// Origin returns "registry".
func (r *Registry) Origin() string { return "registry" }

// Images pulls the published images of a component. If a mirror has a node image that the sandbox
// built, the image gets the same name as on the machine that built it.
func (r *Registry) Images(ctx context.Context, name string, report Report) ([]Image, error) {
	c := component.Named(name)
	if len(c.Images) == 0 {
		return nil, fmt.Errorf("pulling %s: it has no published images", name)
	}
	var images []Image
	for _, reference := range c.Images {
		image, err := r.pull(ctx, report, reference)
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	if name != component.ControlPlane {
		return images, nil
	}
	versions, own, err := images[0].NodeVersions()
	if err != nil || !own {
		return images, err
	}
	node, err := NewNode(versions, images[0].content)
	return []Image{node}, err
}

// Pull pulls an image of the user's. It names the image as containerd does, with host and tag.
func (r *Registry) Pull(ctx context.Context, reference string, report Report) (Image, error) {
	image, err := r.pull(ctx, report, reference)
	if err != nil {
		return Image{}, err
	}
	tagged, _, _ := strings.Cut(reference, "@")
	return New(image.content, Qualified(tagged)), nil
}

// Qualified returns an image's name as containerd has it, with host and tag. It returns an invalid
// name as it is; loading it results in a good error.
func Qualified(reference string) string {
	parsed, err := name.ParseReference(reference)
	if err != nil {
		return reference
	}
	return strings.Replace(parsed.Name(), name.DefaultRegistry+"/", "docker.io/", 1)
}

// pull gets the complete image of one platform: layers must not be downloaded in a later step, when
// this step's context is cancelled. The image is named by its tag. Nodes look images up by name,
// and a digest in the name would be the digest of the multi-platform index.
func (r *Registry) pull(ctx context.Context, report Report, wanted string) (Image, error) {
	tagged, _, _ := strings.Cut(wanted, "@")
	if first, _, _ := strings.Cut(tagged, "/"); !strings.Contains(first, ".") {
		tagged = "docker.io/" + tagged // kind omits the host, containerd's names have it.
	}
	if image, digest, found := r.stored(wanted); found {
		report.Say("%s is cached (%s)", tagged, digest)
		return New(image, tagged), nil
	}
	reference, err := r.reference(wanted)
	if err != nil {
		return Image{}, err
	}
	report.Say("pulling %s from %s", tagged, reference.Context().RegistryStr())
	image, err := r.download(ctx, report, reference)
	if err != nil {
		return Image{}, r.pullError(ctx, tagged, reference, err)
	}
	return New(image, tagged), nil
}

// download downloads an image into the cache. It verifies the first response against the
// reference's digest, if it has one, and everything else against the digests in that response.
func (r *Registry) download(ctx context.Context, report Report, reference name.Reference) (v1.Image, error) {
	response, err := remote.Get(reference, r.options(ctx, report)...)
	if err != nil {
		return nil, err
	}
	image, err := response.Image()
	if err != nil {
		return nil, err
	}
	return cache.NewStore(r.folder).Keep(response.Manifest, response.Digest, image)
}

// stored finds a pinned image in the cache. Other images are never found: only the registry knows
// what their tags refer to.
func (r *Registry) stored(wanted string) (image v1.Image, digest v1.Hash, found bool) {
	_, pin, err := r.pinned(wanted)
	if err != nil {
		return nil, v1.Hash{}, false
	}
	if digest, err = v1.NewHash(pin); err != nil {
		return nil, v1.Hash{}, false
	}
	image, err = cache.NewStore(r.folder).Find(digest, r.platform())
	return image, digest, err == nil
}

// pinned splits a reference into its tagged name and the required digest, which is "" for any.
func (r *Registry) pinned(wanted string) (tagged name.Tag, digest string, err error) {
	text, digest, _ := strings.Cut(wanted, "@")
	tagged, err = name.NewTag(text)
	if err != nil {
		return tagged, "", fmt.Errorf("reading the image name %q: %w", wanted, err)
	}
	if pin, found := r.mirror.pins[tagged.Name()]; found {
		digest = pin
	}
	return tagged, digest, nil
}

// reference returns the reference to request, at the mirror if there is one.
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
