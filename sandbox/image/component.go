package image

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
)

// component is a Go program, or several of one module, that the sandbox builds from source.
type component struct {
	name     string   // what progress and the cache call it
	module   string   // the module's folder below the repository's root, or an absolute one
	sources  []string // folders of the module that hold its sources, nested modules included; none means all of the module
	packages []string
	tags     string
	flags    []string // further flags of go build
	stamp    []string // -X flags that tell the programs their version
	outputs  []string // the binaries that the build must leave
	rename   bool     // the only output is not called as Go would call it
	links    []string // links to the first output; their names choose what it is (argv[0])
	keep     int      // how many builds of it to keep, at least; 0 means all
}

// kubernetesVersion stands in the stamps below; it is replaced by what the module's go.mod requires.
const kubernetesVersion = "$KUBERNETES_VERSION"

var (
	// nodeInit is first: it is small, and the engine's probe needs it.
	nodeInit = component{
		name: "node-init", module: "sandbox/source/node",
		packages: []string{"./init", "./pause"}, outputs: []string{"init", "pause"},
	}
	kubernetes = component{
		name: "kubernetes", module: "sandbox/source/kubernetes",
		packages: []string{"."}, outputs: []string{"kubernetes"},
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
	certManager = component{
		name: "cert-manager", module: "sandbox/source/certmanager",
		packages: []string{"."}, outputs: []string{"sandbox"}, links: CertManagerPrograms,
		stamp: []string{"github.com/cert-manager/cert-manager/pkg/util.AppVersion=" + CertManagerVersion},
	}
	jaeger = component{
		name: "jaeger", module: "sandbox/source/jaeger",
		packages: []string{"tool"}, outputs: []string{"jaeger"},
		stamp: []string{"github.com/jaegertracing/jaeger/internal/version.latestVersion=v" + JaegerVersion},
	}
	kwok = component{
		name: "kwok", module: "sandbox/source/kwok",
		packages: []string{"."}, outputs: []string{"kwok"},
	}
)

// link makes c's links in the folder that it was built into. Links that are there already stay, so that several
// commands may do it at once, and in a cache that only can be read it is enough that they were made before.
func (c component) link(dir string) error {
	for _, name := range c.links {
		path := filepath.Join(dir, name)
		target, err := filepath.Rel(filepath.Dir(path), filepath.Join(dir, c.outputs[0]))
		if err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
		if isLink(path, target) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
		if err := os.Symlink(target, path); err != nil && !isLink(path, target) {
			return fmt.Errorf("linking %s: %w; remove it if it is something else", name, err)
		}
	}
	return nil
}

func isLink(path, target string) bool {
	got, err := os.Readlink(path)
	return err == nil && got == target
}

// required returns the version of a module that the go.mod in folder requires.
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
