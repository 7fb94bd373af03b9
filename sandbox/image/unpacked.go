package image

import (
	"fmt"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Images that the node image carries are there unpacked, in a folder each: importing their layers, a quarter of a gigabyte, would be what
// every new node does first. What containerd imports instead is images whose one layer has nothing but a mark, a file that names the
// folder; the node's init then puts the folder in the layer's place (sandbox/source/node/init/unpacked.go).
const (
	unpackedFolder = "kind/unpacked"
	unpackedMark   = ".unpacked"
)

// unpackedLayer is a layer that the node image carries unpacked. Its name has the hash of what is in it, so that an image's digest
// changes with its content.
type unpackedLayer struct{ name string }

// control is what the control plane's image holds.
func (p nodeParts) control() unpackedLayer {
	return unpackedLayer{"kubernetes-" + keyOf(p.kubernetesDir) + "-" + keyOf(filepath.Dir(p.rootFS.archive))}
}

// dns is what CoreDNS's image holds.
func (p nodeParts) dns() unpackedLayer { return unpackedLayer{"coredns-" + keyOf(p.coreDNSDir)} }

// controlFiles are the control plane's programs, which are the node's own, and nft for kube-proxy.
func (p nodeParts) controlFiles(scratch string) ([]file, error) {
	files := []file{{path: "usr/local/bin/kubernetes", same: "usr/local/bin/kubernetes"}}
	for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		files = append(files, file{path: "usr/local/bin/" + program, link: "kubernetes"})
	}
	nft, err := programWithLibraries(p.rootFS.archive, "usr/sbin/nft", scratch)
	return append(files, nft...), err
}

// in are the layer's files where the node image has them.
func (u unpackedLayer) in(files []file) []file {
	placed := make([]file, len(files))
	for i, f := range files {
		f.path = unpackedFolder + "/" + u.name + "/" + f.path
		placed[i] = f
	}
	return placed
}

// unpacked is an image of one such layer.
func (b *Builder) unpacked(u unpackedLayer, config v1.Config) (v1.Image, error) {
	layer, err := b.layer("unpacked", u.name, func(string) ([]file, error) {
		return []file{{path: unpackedMark, content: u.name, mode: 0o644}}, nil
	})
	if err != nil {
		return nil, err
	}
	goos, goarch := b.platform()
	image, err := assemble(goos, goarch, config, layer)
	if err != nil {
		return nil, fmt.Errorf("assembling the image of %s: %w", u.name, err)
	}
	return image, nil
}
