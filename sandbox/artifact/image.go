// Package artifact provides what a sandbox runs: container images, or programs of this machine.
//
// A [Provider] has the images. [Registry] pulls them by tag or digest, package artifact/build
// builds them from source, package bundle reads them from a file, and [Fallback] combines two
// providers. The steps in sandbox/plan.go stream the images into the container engine and the
// nodes. A sandbox without a container engine runs the same components as programs. Package
// artifact/cache keeps everything that was pulled or built.
//
// No package below artifact talks to a container engine or to a cluster.
package artifact

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Provider provides the images of a sandbox. Its methods can be called by several goroutines. Each
// call returns the same image for the same inputs, from the cache if possible.
type Provider interface {
	// Origin returns "registry", "source" or "bundle".
	Origin() string
	// Images returns the images of a component of the table, in the order of its Images. The control
	// plane has one: kind's node. The operator is not in the table: the user chooses it.
	Images(ctx context.Context, component string, report Report) ([]Image, error)
}

// Report receives short progress messages of a long task. It can be nil.
type Report func(format string, args ...any)

// Say reports progress, unless r is nil.
func (r Report) Say(format string, args ...any) {
	if r != nil {
		r(format, args...)
	}
}

// Image is a container image with its names. It is safe for concurrent use.
type Image struct {
	// Names are the references under which the image is loaded. The first one is used to run it.
	Names   []string
	content v1.Image
}

// New returns an image with at least one name.
func New(content v1.Image, names ...string) Image { return Image{Names: names, content: content} }

// Local returns an image that only this machine has.
func Local(name, tag string, content v1.Image) Image {
	return New(content, LocalRepository+name+":"+tag)
}

// Content returns the image itself.
func (i Image) Content() v1.Image { return i.content }

// Name returns the reference to run the image by.
func (i Image) Name() string { return i.Names[0] }

// Digest returns the digest of the image's manifest ("sha256:…").
func (i Image) Digest() (string, error) {
	digest, err := i.content.Digest()
	if err != nil {
		return "", fmt.Errorf("reading the digest of image %s: %w", i.Name(), err)
	}
	return digest.String(), nil
}

// AsOperator returns the image under a name of the sandbox's own that contains the image's digest.
// A node that has an image of this name has exactly this image, and another image changes the Pod.
func (i Image) AsOperator() (Image, error) {
	digest, err := i.Digest()
	if err != nil {
		return Image{}, err
	}
	return Local("operator", strings.TrimPrefix(digest, "sha256:")[:16], i.content), nil
}

// Archive writes images as one archive for `docker load`, `podman load` and `ctr images import`.
// The archive has a single platform: engines with a containerd store refuse archives that name
// platforms whose layers are missing.
func Archive(out io.Writer, images ...Image) error {
	byName := map[name.Reference]v1.Image{}
	for _, i := range images {
		for _, n := range i.Names {
			reference, err := name.ParseReference(n)
			if err != nil {
				return fmt.Errorf("reading the image name %q: %w", n, err)
			}
			byName[reference] = i.content
		}
	}
	if err := tarball.MultiRefWrite(byName, out); err != nil {
		return fmt.Errorf("writing an image archive: %w", err)
	}
	return nil
}

// Labels of images that the sandbox built. They describe an image that comes from a bundle or
// mirror.
const (
	SourceLabel     = "operator-tracing.from-source"
	PackagesLabel   = "operator-tracing.debian-packages"
	kubernetesLabel = "operator-tracing.kubernetes"
	etcdLabel       = "operator-tracing.etcd"
	coreDNSLabel    = "operator-tracing.coredns"
)

// labels returns nil for an image that the cluster pulls itself.
func (i Image) labels() (map[string]string, error) {
	if i.content == nil {
		return nil, nil
	}
	config, err := i.content.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the configuration of image %s: %w", i.Name(), err)
	}
	return config.Config.Labels, nil
}

// FromSource reports whether the sandbox built the image.
func (i Image) FromSource() (bool, error) {
	labels, err := i.labels()
	return labels[SourceLabel] != "", err
}

// NodeVersions are the versions of the programs in a node that was built from source, in the form
// that kubeadm requires.
type NodeVersions struct {
	Kubernetes string // v1.37.2
	EtcdTag    string // tag of the etcd image
	CoreDNSTag string // tag of the CoreDNS image
}

// Labels returns the labels of a node image with these versions.
func (v NodeVersions) Labels() map[string]string {
	return map[string]string{kubernetesLabel: v.Kubernetes, etcdLabel: v.EtcdTag, coreDNSLabel: v.CoreDNSTag}
}

// NodeVersions returns the versions in a node image. own is false if the image is kind's own, and
// true if the sandbox built it.
func (i Image) NodeVersions() (versions NodeVersions, own bool, err error) {
	labels, err := i.labels()
	versions = NodeVersions{Kubernetes: labels[kubernetesLabel], EtcdTag: labels[etcdLabel], CoreDNSTag: labels[coreDNSLabel]}
	return versions, versions != NodeVersions{}, err
}

// NewNode returns a node image that the sandbox built. Its name contains its digest, so that an
// engine that has the name has the content.
func NewNode(versions NodeVersions, content v1.Image) (Image, error) {
	digest, err := content.Digest()
	if err != nil {
		return Image{}, fmt.Errorf("naming the node image: %w", err)
	}
	return Local("node", versions.Kubernetes+"-"+digest.Hex[:12], content), nil
}
