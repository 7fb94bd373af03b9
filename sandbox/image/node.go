package image

import (
	"context"
	"crypto/sha256"
	_ "embed" // The node's configuration files.
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

//go:embed files/containerd.toml.in
var containerdConfig string

//go:embed files/cni.conflist
var cniConfig string

//go:embed files/storage.yaml
var storageManifest string

// binPath is the PATH of images that hold more than one program.
const binPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// NodeVersions are the versions of what runs in a node built from source, as kubeadm must be told them.
type NodeVersions struct {
	Kubernetes string // v1.37.2
	EtcdTag    string // tag of the etcd image
	CoreDNSTag string // tag of the CoreDNS image
}

// Versions reads what the nested modules pin.
func (b *Builder) Versions() (NodeVersions, error) {
	var v NodeVersions
	for _, pin := range []struct {
		folder, module string
		set            func(string)
	}{
		{kubernetes.module, "k8s.io/kubernetes", func(s string) { v.Kubernetes = s }},
		{kubernetes.module, "go.etcd.io/etcd/server/v3", func(s string) { v.EtcdTag = strings.TrimPrefix(s, "v") + "-0" }},
		{coreDNS.module, "github.com/coredns/coredns", func(s string) { v.CoreDNSTag = s }},
	} {
		folder := filepath.Join(b.Root, pin.folder)
		goMod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err != nil {
			return v, fmt.Errorf("reading pinned versions: %w", err)
		}
		version, err := required(goMod, folder, pin.module)
		if err != nil {
			return v, err
		}
		pin.set(version)
	}
	return v, nil
}

// nodeParts are the built components of a node.
type nodeParts struct {
	initDir, kubernetesDir, toolsDir, coreDNSDir string
	rootFS                                       rootFS
	versions                                     NodeVersions
}

// controlPlane is the images that kubeadm wants in the node: one image, under six names, of the multi-call binary with nft
// for kube-proxy; CoreDNS; and pause.
func (b *Builder) controlPlane(parts nodeParts) ([]Image, error) {
	multi, err := b.unpacked(parts.control(), v1.Config{Env: []string{binPath}})
	if err != nil {
		return nil, err
	}
	dns, err := b.unpacked(parts.dns(), v1.Config{Entrypoint: []string{"/coredns"}})
	if err != nil {
		return nil, err
	}
	pause, err := b.single("pause", filepath.Join(parts.initDir, "pause"), "pause", keyOf(parts.initDir), v1.Config{User: "65535:65535"})
	if err != nil {
		return nil, err
	}
	multiNames := []string{"registry.k8s.io/etcd:" + parts.versions.EtcdTag}
	for _, program := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		multiNames = append(multiNames, "registry.k8s.io/"+program+":"+parts.versions.Kubernetes)
	}
	return []Image{
		{Names: multiNames, image: multi},
		{Names: []string{"registry.k8s.io/coredns/coredns:" + parts.versions.CoreDNSTag}, image: dns},
		{Names: []string{Pause, PauseOther}, image: pause},
	}, nil
}

// node puts the node's image together. Its name has the hash of all layers, so that an engine which has the name has
// the content.
func (b *Builder) node(ctx context.Context, parts nodeParts, report Report) (Image, error) {
	report.say("assembling the node image")
	goos, goarch := b.platform()
	images, err := b.controlPlane(parts)
	if err != nil {
		return Image{}, err
	}
	system, err := b.layer("node", systemKey(parts), func(scratch string) ([]file, error) {
		return nodeFiles(ctx, parts, images, scratch)
	})
	if err != nil {
		return Image{}, err
	}
	root, err := openLayer(parts.rootFS.archive)
	if err != nil {
		return Image{}, err
	}
	config := v1.Config{
		Entrypoint: []string{"/usr/local/bin/init"},
		Env:        []string{binPath},
		StopSignal: "SIGTERM",
		Labels: map[string]string{
			packagesLabel: parts.rootFS.packages, kubernetesLabel: parts.versions.Kubernetes,
			etcdLabel: parts.versions.EtcdTag, coreDNSLabel: parts.versions.CoreDNSTag,
		},
	}
	image, err := assemble(goos, goarch, config, root, system)
	if err != nil {
		return Image{}, fmt.Errorf("assembling the node image: %w", err)
	}
	return nodeImage(parts.versions, image)
}

// systemKey is the key of the layer above the root filesystem: it has the keys of what the layer is made of.
func systemKey(parts nodeParts) string {
	key := sha256.Sum256([]byte(strings.Join([]string{
		keyOf(parts.initDir), keyOf(parts.kubernetesDir), keyOf(parts.toolsDir), keyOf(parts.coreDNSDir),
		keyOf(filepath.Dir(parts.rootFS.archive)), containerdConfig, cniConfig, storageManifest, fmt.Sprint(parts.versions),
	}, "\n")))
	return hex.EncodeToString(key[:])[:16]
}

// nodeFiles is everything above the root filesystem.
func nodeFiles(ctx context.Context, parts nodeParts, images []Image, scratch string) ([]file, error) {
	archive := filepath.Join(scratch, "control-plane.tar")
	out, err := os.Create(archive)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := Archive(out, images...); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	files := []file{
		{path: "usr/local/bin/init", source: filepath.Join(parts.initDir, "init")},
		{path: "etc/containerd/config.toml.in", content: strings.ReplaceAll(containerdConfig, "@PAUSE@", Pause), mode: 0o644},
		{path: "etc/cni/net.d/10-sandbox.conflist", content: cniConfig, mode: 0o644},
		{path: "kind/version", content: parts.versions.Kubernetes, mode: 0o644},
		{path: "kind/manifests/default-storage.yaml", content: storageManifest, mode: 0o644},
		{path: "kind/images/control-plane.tar", source: archive, mode: 0o644},
	}
	for _, program := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		files = append(files, file{path: "usr/local/bin/" + program, source: filepath.Join(parts.toolsDir, program)})
	}
	for _, plugin := range []string{"bridge", "host-local", "loopback", "portmap"} {
		files = append(files, file{path: "opt/cni/bin/" + plugin, source: filepath.Join(parts.toolsDir, plugin)})
	}
	files = append(files, linked(filepath.Join(parts.kubernetesDir, "kubernetes"), "usr/local/bin", "kubernetes", "kubeadm", "kubectl", "kubelet")...)
	control, err := parts.controlFiles(scratch)
	if err != nil {
		return nil, err
	}
	files = append(files, parts.control().in(control)...)
	return append(files, parts.dns().in([]file{{path: "coredns", source: filepath.Join(parts.coreDNSDir, "coredns")}})...), nil
}

// single is an image of one static program, which it runs, above other layers.
func (b *Builder) single(name, source, program, key string, config v1.Config, below ...v1.Layer) (v1.Image, error) {
	goos, goarch := b.platform()
	layer, err := b.layer(name, key, func(string) ([]file, error) {
		return []file{{path: program, source: source}}, nil
	})
	if err != nil {
		return nil, err
	}
	config.Entrypoint = []string{"/" + program}
	image, err := assemble(goos, goarch, config, append(below, layer)...)
	if err != nil {
		return nil, fmt.Errorf("assembling the image of %s: %w", name, err)
	}
	return image, nil
}

// linked is a multi-call binary in a folder with its links.
func linked(source, folder, binary string, links ...string) []file {
	files := []file{{path: folder + "/" + binary, source: source}}
	for _, link := range links {
		files = append(files, file{path: folder + "/" + link, link: binary})
	}
	return files
}
