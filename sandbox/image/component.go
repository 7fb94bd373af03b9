package image

import (
	"fmt"
	"path/filepath"

	"golang.org/x/mod/modfile"
)

// component is a Go program, or several of one module, that the sandbox builds from source.
type component struct {
	name     string // what progress and the cache call it
	module   string // the module's folder below the repository's root
	packages []string
	tags     string
	stamp    []string // -X flags that tell the programs their version
	outputs  []string // the binaries that the build must leave
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
		packages: []string{"."}, outputs: []string{"sandbox"},
		stamp: []string{"github.com/cert-manager/cert-manager/pkg/util.AppVersion=" + CertManagerVersion},
	}
	jaeger = component{
		name: "jaeger", module: "sandbox/source/jaeger",
		packages: []string{"tool"}, outputs: []string{"jaeger"},
		stamp: []string{"github.com/jaegertracing/jaeger/internal/version.latestVersion=v" + JaegerVersion},
	}
)

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
