package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Folder is a folder of a registry that images are pushed to, for clusters that pull them from there.
type Folder struct{ base name.Repository }

// NewFolder reads its address: HOST[:PORT][/FOLDER], after http:// where the registry has no certificate.
func NewFolder(address string) (Folder, error) {
	base, err := folderOf("registry", address)
	if err != nil {
		return Folder{}, err
	}
	return Folder{base: base}, nil
}

// Push pushes an image, with the credentials of the user's docker or podman login, and returns the reference by which a cluster pulls
// exactly it: with its digest. Layers that the registry has are not sent again.
func (f Folder) Push(ctx context.Context, i Image) (reference string, err error) {
	own, err := name.NewTag(i.Name(), name.WeakValidation)
	if err != nil {
		return "", fmt.Errorf("pushing image %s: %w", i.Name(), err)
	}
	// Without the host, and the sandbox's own without the folder that tells them from others on a machine.
	path := strings.TrimPrefix(own.RepositoryStr(), strings.SplitN(LocalRepository, "/", 2)[1])
	repository := f.base.Registry.Repo(strings.TrimSuffix(f.base.RepositoryStr(), placeholder) + path)
	tag := repository.Tag(own.TagStr())
	if err := remote.Write(tag, i.image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return "", fmt.Errorf("pushing image %s to %s: %w; `docker login %s`, or `podman login`, gives the permission", i.Name(), tag, err, repository.RegistryStr())
	}
	digest, err := i.Digest()
	if err != nil {
		return "", err
	}
	return repository.Digest(digest).Name(), nil
}

// Public is the reference by which a cluster that reaches the public registries pulls an image that they have: with its digest, as far
// as that is pinned.
func Public(reference string) string {
	tagged, _, _ := strings.Cut(reference, "@")
	if digest := digests[tagged]; digest != "" {
		return tagged + "@" + digest
	}
	return reference
}

// PublicCertManager are the references of cert-manager's images, in the order of CertManagerPrograms; PublicJaeger is Jaeger's.
func PublicCertManager() []string {
	var references []string
	for _, program := range CertManagerPrograms {
		references = append(references, Public(certManagerRepository+program+":"+CertManagerVersion))
	}
	return references
}

// PublicJaeger is the reference of Jaeger's image.
func PublicJaeger() string { return Public(jaegerRepository + ":" + JaegerVersion) }
