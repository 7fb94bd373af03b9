package build

import (
	"context"
	_ "embed" // The node's configuration files.
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/layer"
	table "github.com/operator-tracing/sandbox/sandbox/component"
)

//go:embed files/containerd.toml.in
var containerdConfig string

//go:embed files/cni.conflist
var cniConfig string

//go:embed files/storage.yaml
var storageManifest string

// binPath is the PATH of images with more than one program.
const binPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// nodeParts are the components of a node: the folders of the builds in onNode by their names, and the
// root filesystem.
type nodeParts struct {
	dirs     map[string]string
	rootFS   rootFS
	versions artifact.NodeVersions
}

// unpackedLayer is a layer of an image in the node image. The node image has its files unpacked in
// a folder, because importing them, a quarter of a gigabyte, would delay every new node. The image
// that containerd imports only has a mark, a file with the name of the folder, and the node's init
// replaces the layer with the folder (sandbox/source/node/init/unpacked.go).
type unpackedLayer struct {
	name  string // It contains the hash of the files, so that an image's digest changes with its content.
	files func(scratch string) ([]layer.File, error)
}

const (
	unpackedFolder = "kind/unpacked"
	unpackedMark   = ".unpacked"
)

// control is the layer of the control plane's image: the node's own programs, and nft for
// kube-proxy.
func (p nodeParts) control() unpackedLayer {
	name := "kubernetes-" + cache.KeyOf(p.dirs[kubernetes.name]) + "-" + cache.KeyOf(filepath.Dir(p.rootFS.archive))
	return unpackedLayer{name, func(scratch string) ([]layer.File, error) {
		files := []layer.File{{Path: "usr/local/bin/kubernetes", Same: "usr/local/bin/kubernetes"}}
		for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
			files = append(files, layer.File{Path: "usr/local/bin/" + program, Link: "kubernetes"})
		}
		nft, err := layer.WithLibraries(p.rootFS.archive, "usr/sbin/nft", scratch)
		return append(files, nft...), err
	}}
}

func (p nodeParts) dns() unpackedLayer {
	return unpackedLayer{"coredns-" + cache.KeyOf(p.dirs[coreDNS.name]), func(string) ([]layer.File, error) {
		return []layer.File{{Path: "coredns", Source: filepath.Join(p.dirs[coreDNS.name], "coredns")}}, nil
	}}
}

func (u unpackedLayer) placed(scratch string) ([]layer.File, error) {
	files, err := u.files(scratch)
	for i := range files {
		files[i].Path = unpackedFolder + "/" + u.name + "/" + files[i].Path
	}
	return files, err
}

func (b *Builder) unpacked(u unpackedLayer, config v1.Config) (v1.Image, error) {
	mark, err := b.layer("unpacked", u.name, func(string) ([]layer.File, error) {
		return []layer.File{{Path: unpackedMark, Content: u.name, Mode: 0o644}}, nil
	})
	if err != nil {
		return nil, err
	}
	image, err := b.assemble(config, mark)
	if err != nil {
		return nil, fmt.Errorf("assembling the image of %s: %w", u.name, err)
	}
	return image, nil
}

// controlPlane returns the images that kubeadm needs in the node: the multi-call binary, with nft
// for kube-proxy, as one image with a name for each program; CoreDNS; and pause.
func (b *Builder) controlPlane(parts nodeParts) ([]artifact.Image, error) {
	multi, err := b.unpacked(parts.control(), v1.Config{Env: []string{binPath}})
	if err != nil {
		return nil, err
	}
	dns, err := b.unpacked(parts.dns(), v1.Config{Entrypoint: []string{"/coredns"}})
	if err != nil {
		return nil, err
	}
	pause, err := b.pause(parts.dirs[nodeInit.name])
	if err != nil {
		return nil, err
	}
	multiNames := []string{"registry.k8s.io/etcd:" + parts.versions.EtcdTag}
	for _, program := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		multiNames = append(multiNames, "registry.k8s.io/"+program+":"+parts.versions.Kubernetes)
	}
	return []artifact.Image{
		artifact.New(multi, multiNames...),
		artifact.New(dns, "registry.k8s.io/coredns/coredns:"+parts.versions.CoreDNSTag),
		pause,
	}, nil
}

// pause returns the pause image, which is also the image of the samples.
func (b *Builder) pause(initDir string) (artifact.Image, error) {
	image, err := b.single("pause", initDir, "pause", v1.Config{User: "65535:65535"})
	return artifact.New(image, table.Pause, table.PauseOther), err
}

func (b *Builder) node(ctx context.Context, parts nodeParts, report artifact.Report) (artifact.Image, error) {
	report.Say("assembling the node image")
	images, err := b.controlPlane(parts)
	if err != nil {
		return artifact.Image{}, err
	}
	system, err := b.layer("node", systemKey(parts), func(scratch string) ([]layer.File, error) {
		return nodeFiles(ctx, parts, images, scratch)
	})
	if err != nil {
		return artifact.Image{}, err
	}
	root, err := layer.Open(parts.rootFS.archive)
	if err != nil {
		return artifact.Image{}, err
	}
	labels := map[string]string{artifact.PackagesLabel: parts.rootFS.packages}
	maps.Copy(labels, parts.versions.Labels())
	image, err := b.assemble(v1.Config{
		Entrypoint: []string{"/usr/local/bin/init"}, Env: []string{binPath}, StopSignal: "SIGTERM", Labels: labels,
	}, root, system)
	if err != nil {
		return artifact.Image{}, fmt.Errorf("assembling the node image: %w", err)
	}
	return artifact.NewNode(parts.versions, image)
}

// systemKey returns the key of the layer above the root filesystem, from the keys of its parts.
func systemKey(parts nodeParts) string {
	var keys []string
	for _, c := range onNode {
		keys = append(keys, cache.KeyOf(parts.dirs[c.name]))
	}
	keys = append(keys, cache.KeyOf(filepath.Dir(parts.rootFS.archive)), containerdConfig, cniConfig, storageManifest, fmt.Sprint(parts.versions))
	return cache.Key([]byte(strings.Join(keys, "\n")))
}

func nodeFiles(ctx context.Context, parts nodeParts, images []artifact.Image, scratch string) ([]layer.File, error) {
	archive := filepath.Join(scratch, "control-plane.tar")
	out, err := os.Create(archive)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := artifact.Archive(out, images...); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	files := []layer.File{
		{Path: "usr/local/bin/init", Source: filepath.Join(parts.dirs[nodeInit.name], "init")},
		{Path: "etc/containerd/config.toml.in", Content: strings.ReplaceAll(containerdConfig, "@PAUSE@", table.Pause), Mode: 0o644},
		{Path: "etc/cni/net.d/10-sandbox.conflist", Content: cniConfig, Mode: 0o644},
		{Path: "kind/version", Content: parts.versions.Kubernetes, Mode: 0o644},
		{Path: "kind/manifests/default-storage.yaml", Content: storageManifest, Mode: 0o644},
		{Path: "kind/images/control-plane.tar", Source: archive, Mode: 0o644},
	}
	for _, program := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		files = append(files, layer.File{Path: "usr/local/bin/" + program, Source: filepath.Join(parts.dirs[nodeTools.name], program)})
	}
	for _, plugin := range []string{"bridge", "host-local", "loopback", "portmap"} {
		files = append(files, layer.File{Path: "opt/cni/bin/" + plugin, Source: filepath.Join(parts.dirs[nodeTools.name], plugin)})
	}
	files = append(files, linked(filepath.Join(parts.dirs[kubernetes.name], "kubernetes"), "usr/local/bin", "kubernetes", "kubeadm", "kubectl", "kubelet")...)
	for _, unpacked := range []unpackedLayer{parts.control(), parts.dns()} {
		more, err := unpacked.placed(scratch)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}

func linked(source, folder, binary string, links ...string) []layer.File {
	files := []layer.File{{Path: folder + "/" + binary, Source: source}}
	for _, link := range links {
		files = append(files, layer.File{Path: folder + "/" + link, Link: binary})
	}
	return files
}
