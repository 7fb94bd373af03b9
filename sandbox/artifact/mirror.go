package artifact

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/input"
)

// Folder is a folder of a registry, for example "registry.example.com:5000/team". Images can be
// pushed to it.
type Folder struct{ base *name.Repository }

// placeholder stands for a repository in the folder while the folder's address is parsed.
const placeholder = "image"

// NewFolder parses the address of a folder: HOST[:PORT][/FOLDER], with the prefix http:// if the
// registry has no certificate. Loopback addresses need no prefix.
func NewFolder(address string) (Folder, error) { return folderOf("registry", address) }

func folderOf(what, address string) (Folder, error) {
	text, insecure := strings.CutPrefix(address, "http://")
	text = strings.TrimSuffix(strings.TrimPrefix(text, "https://"), "/")
	var options []name.Option
	if insecure {
		options = append(options, name.Insecure)
	}
	invalid := fmt.Sprintf("invalid %s %q: want HOST[:PORT][/FOLDER], for example mirror.example.com:5000", what, address)
	host, _, _ := strings.Cut(text, "/")
	// A single word without a port would be parsed as a folder of Docker Hub.
	if host != "localhost" && !strings.ContainsAny(host, ".:") {
		return Folder{}, errors.New(invalid)
	}
	base, err := name.NewRepository(text+"/"+placeholder, options...)
	if err != nil {
		return Folder{}, fmt.Errorf("%s: %w", invalid, err)
	}
	return Folder{&base}, nil
}

func (f Folder) repository(path string) name.Repository {
	return f.base.Registry.Repo(strings.TrimSuffix(f.base.RepositoryStr(), placeholder) + path)
}

// Push pushes an image with the credentials of the user's docker or podman login. It returns a
// reference by digest, so that a cluster pulls exactly this image. Layers that the registry already
// has are not sent again.
func (f Folder) Push(ctx context.Context, i Image) (reference string, err error) {
	own, err := name.NewTag(i.Name(), name.WeakValidation)
	if err != nil {
		return "", fmt.Errorf("pushing image %s: %w", i.Name(), err)
	}
	// The host is replaced. The folder of the sandbox's own images only tells them from other
	// images on this machine.
	repository := f.repository(strings.TrimPrefix(own.RepositoryStr(), strings.SplitN(LocalRepository, "/", 2)[1]))
	tag := repository.Tag(own.TagStr())
	if err := remote.Write(tag, i.content, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return "", fmt.Errorf("pushing image %s to %s: %w; if access was denied, run `docker login %s` or `podman login`",
			i.Name(), tag, err, repository.RegistryStr())
	}
	digest, err := i.Digest()
	if err != nil {
		return "", err
	}
	return repository.Digest(digest).Name(), nil
}

// Mirror is a registry that has the images of all other registries, under their paths without the
// host. The zero value means that there is none.
type Mirror struct {
	folder Folder            // the zero value if there is no mirror
	pins   map[string]string // full tagged name to digest; nil for the digests in this program
}

// NewMirror parses a mirror's address, in the form of [NewFolder].
//
// Images are pulled by the digests that the sandbox was compiled with, so a mirror can't replace
// them. A mirror with images of its own needs a file of pins, by which the user vouches for them: a
// YAML map of every tagged name to a digest. pins is the path of that file, or empty.
func NewMirror(address, pins string) (Mirror, error) {
	folder, err := folderOf("registry mirror", address)
	m := Mirror{folder: folder}
	if err != nil || pins == "" {
		return m, err
	}
	if m.pins, err = readPins(pins); err != nil {
		return Mirror{}, fmt.Errorf("reading the pins of the registry mirror from %s: %w", pins, err)
	}
	return m, nil
}

// repository returns where the mirror has a repository of another registry.
func (m Mirror) repository(of name.Repository) name.Repository {
	if m.folder.base == nil {
		return of
	}
	return m.folder.repository(of.RepositoryStr())
}

// readPins reads a file of pins. It must have all images, and no others.
func readPins(path string) (map[string]string, error) {
	data, err := input.ReadFile(path, input.MaxConfig)
	if err != nil {
		return nil, err
	}
	var given map[string]string
	if err := yaml.UnmarshalStrict(data, &given); err != nil {
		return nil, errors.New(strings.Join(strings.Fields(err.Error()), " ")) // In one line.
	}
	wanted := map[string]string{} // full name to the name in References
	for _, reference := range References() {
		tagged, _, _ := strings.Cut(reference, "@")
		tag, err := name.NewTag(tagged)
		if err != nil {
			return nil, err
		}
		wanted[tag.Name()] = tagged
	}
	pins := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		tag, err := name.NewTag(key)
		if err != nil || wanted[tag.Name()] == "" {
			return nil, fmt.Errorf("unknown image %q: want one of %s", key, strings.Join(slices.Sorted(maps.Values(wanted)), ", "))
		}
		if _, err := v1.NewHash(given[key]); err != nil {
			return nil, fmt.Errorf("invalid digest %q of %s: want sha256: and 64 hexadecimal digits", given[key], key)
		}
		pins[tag.Name()] = given[key]
		delete(wanted, tag.Name())
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("missing digest of %s", strings.Join(slices.Sorted(maps.Values(wanted)), ", "))
	}
	return pins, nil
}
