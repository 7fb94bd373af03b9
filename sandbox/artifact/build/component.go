package build

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	table "github.com/operator-tracing/sandbox/sandbox/component"
)

// component is one or more Go programs of one module that the sandbox builds from source.
type component struct {
	name      string   // in progress messages and in the cache
	module    string   // the module's folder below the repository's root, or an absolute path
	sources   []string // folders of the module with the sources, nested modules included; empty means the whole module
	packages  []string
	tags      string
	flags     []string          // further flags of go build
	stamp     []string          // -X flags with the programs' versions
	outputs   []string          // the binaries that the build must create
	rename    bool              // the only output does not have the name that Go uses
	folder    string            // of the programs in the build
	links     []string          // links to the first output, which behaves as the program of the link's name (argv[0])
	published map[string]string // images of the programs, by the path in the build's folder
	keep      int               // minimal number of builds to keep; 0 means all
}

// kubernetesVersion and etcdTag stand for the versions in the module's go.mod in the stamps and
// images below.
const (
	kubernetesVersion = "$KUBERNETES_VERSION"
	etcdTag           = "$ETCD_TAG"
)

var (
	// nodeInit is built first: it is small, and the engine's probe needs it.
	nodeInit = component{
		name: "node-init", module: "sandbox/source/node",
		packages: []string{"./init", "./pause"}, outputs: []string{"init", "pause"},
	}
	kubernetes = component{
		name: "kubernetes", module: "sandbox/source/kubernetes",
		packages: []string{"."}, outputs: []string{"kubernetes"}, folder: "assets",
		links: []string{
			"assets/etcd", "assets/kube-apiserver", "assets/kube-controller-manager", "assets/kube-scheduler", "assets/kubectl",
		},
		stamp: []string{
			"k8s.io/component-base/version.gitVersion=" + kubernetesVersion,
			"k8s.io/component-base/version.gitMajor=1",
			"k8s.io/component-base/version.gitMinor=37",
			"k8s.io/component-base/version.gitTreeState=clean",
			"k8s.io/client-go/pkg/version.gitVersion=" + kubernetesVersion,
		},
		published: map[string]string{
			"assets/etcd":                    "registry.k8s.io/etcd:" + etcdTag,
			"assets/kube-apiserver":          "registry.k8s.io/kube-apiserver:" + kubernetesVersion,
			"assets/kube-controller-manager": "registry.k8s.io/kube-controller-manager:" + kubernetesVersion,
			"assets/kube-scheduler":          "registry.k8s.io/kube-scheduler:" + kubernetesVersion,
		},
	}
	nodeTools = component{
		name: "containerd", module: "sandbox/source/node",
		packages: []string{"tool"}, tags: "no_btrfs no_devmapper no_zfs",
		outputs: []string{"containerd", "containerd-shim-runc-v2", "ctr", "bridge", "host-local", "loopback", "portmap"},
	}
	coreDNS = component{
		name: "coredns", module: "sandbox/source/node",
		packages: []string{"./coredns"}, outputs: []string{"coredns"},
	}
	// onNode are the builds of a node.
	onNode = []component{nodeInit, kubernetes, nodeTools, coreDNS}
)

// fromTable returns the component of a row that has a Source. It has the name of the row, or of its
// only program.
func fromTable(row table.Component) component {
	c := component{
		name: row.Name, module: row.Source.Module, packages: []string{row.Source.Package}, outputs: []string{row.Source.Output},
		published: map[string]string{},
	}
	if row.Source.Stamp != "" {
		c.stamp = []string{row.Source.Stamp}
	}
	if len(row.Programs) == 1 {
		c.name = row.Programs[0].Name
	} else {
		c.links = row.Binaries()
	}
	for _, program := range row.Binaries() {
		if image := row.Image(program); image != "" {
			c.published[program] = image
		}
	}
	return c
}

func rowsOn(cluster string) []component {
	var built []component
	for _, row := range table.On(cluster) {
		if row.Source.Module != "" {
			built = append(built, fromTable(row))
		}
	}
	return built
}

// link creates c's links in the folder of its build. It keeps existing links, so that several
// commands can call it at the same time, and so that it works in a read-only cache that has the
// links.
func (c component) link(dir string) error {
	for _, name := range c.links {
		path := filepath.Join(dir, name)
		target, err := filepath.Rel(filepath.Dir(path), filepath.Join(dir, c.outputs[0]))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o755)
		}
		if err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
		err = os.Symlink(target, path)
		if existing, _ := os.Readlink(path); err != nil && existing != target {
			return fmt.Errorf("linking %s: %w; remove the file", name, err)
		}
	}
	return nil
}

func required(goMod []byte, folder, module string) (string, error) {
	file, err := modfile.ParseLax(filepath.Join(folder, "go.mod"), goMod, nil)
	if err != nil {
		return "", fmt.Errorf("reading pinned versions: %w", err)
	}
	for _, r := range file.Require {
		if r.Mod.Path == module {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("finding %s in the requirements of %s: no such requirement", module, folder)
}

// Versions returns the versions of a node that is built from source, as the nested modules pin
// them.
func (b *Builder) Versions() (artifact.NodeVersions, error) {
	var versions artifact.NodeVersions
	for _, pin := range []struct {
		version *string
		of      component
		module  string
	}{
		{&versions.Kubernetes, kubernetes, "k8s.io/kubernetes"},
		{&versions.CoreDNSTag, coreDNS, "github.com/coredns/coredns"},
		{&versions.EtcdTag, kubernetes, "go.etcd.io/etcd/server/v3"},
	} {
		folder := b.folder(pin.of.module)
		goMod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err != nil {
			return versions, fmt.Errorf("reading pinned versions: %w", err)
		}
		if *pin.version, err = required(goMod, folder, pin.module); err != nil {
			return versions, err
		}
	}
	versions.EtcdTag = strings.TrimPrefix(versions.EtcdTag, "v") + "-0"
	return versions, nil
}
