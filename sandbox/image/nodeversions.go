package image

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Labels of a node image that the sandbox built: what is in it, for whoever gets it without its sources.
const (
	packagesLabel   = "operator-tracing.debian-packages"
	kubernetesLabel = "operator-tracing.kubernetes"
	etcdLabel       = "operator-tracing.etcd"
	coreDNSLabel    = "operator-tracing.coredns"
)

// NodeVersions reads what is in a node image that the sandbox built, wherever the image comes from. For kind's own, own is
// false.
func (i Image) NodeVersions() (versions NodeVersions, own bool, err error) {
	config, err := i.image.ConfigFile()
	if err != nil {
		return NodeVersions{}, false, fmt.Errorf("reading the configuration of image %s: %w", i.Name(), err)
	}
	labels := config.Config.Labels
	versions = NodeVersions{Kubernetes: labels[kubernetesLabel], EtcdTag: labels[etcdLabel], CoreDNSTag: labels[coreDNSLabel]}
	return versions, versions != NodeVersions{}, nil
}

// nodeImage names a node image that the sandbox built by its content, so that an engine which has the name has the content.
func nodeImage(versions NodeVersions, image v1.Image) (Image, error) {
	digest, err := image.Digest()
	if err != nil {
		return Image{}, fmt.Errorf("naming the node image: %w", err)
	}
	return Image{Names: []string{LocalRepository + "node:" + versions.Kubernetes + "-" + digest.Hex[:12]}, image: image}, nil
}
