package image

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Parts are what a kind of sandbox gets from the cache, or has to build.
type Parts struct {
	components []component
	chart      bool
	rootFS     bool
}

// What the kinds of sandboxes need.
var (
	// RegistryParts are for kind with images from a registry: the engine's probe.
	RegistryParts = Parts{components: []component{nodeInit}, chart: true}
	// SourceParts are for kind with images from source.
	SourceParts = Parts{components: []component{nodeInit, kubernetes, nodeTools, coreDNS, certManager, jaeger}, chart: true, rootFS: true}
	// ProgramParts are for processes of this machine.
	ProgramParts = Parts{components: []component{kubernetes, certManager, jaeger, kwok}, chart: true}
)

// Missing names the parts that the cache lacks; long are those of them that take minutes to build. The operator counts among
// them, unless its Main is empty: then nobody builds it.
func (b *Builder) Missing(parts Parts, operator Program) (names, long []string) {
	for _, c := range parts.components {
		if b.cached(c) {
			continue
		}
		names = append(names, c.name)
		if c.name != nodeInit.name {
			long = append(long, c.name)
		}
	}
	if operator.Main != "" && (len(operator.Sources) == 0 || !b.cached(operator.component())) {
		names = append(names, OperatorProgram)
	}
	if parts.chart && !complete(b.assetFolder(chart), chart.outputs()) {
		names = append(names, chart.name)
	}
	if parts.rootFS && !complete(b.rootFSFolder(), rootFSOutputs) {
		names = append(names, "root filesystem")
		long = append(long, "root filesystem")
	}
	return names, long
}

var keyed = regexp.MustCompile(`-([0-9a-f]{16})(/|$)`)

// KeyOfProgram is the key under which a program in the cache was built, by its path: the hash of all that it was built from.
// It is empty for other programs.
func KeyOfProgram(path string) string {
	found := keyed.FindAllStringSubmatch(filepath.ToSlash(path), -1)
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1][1]
}

// assetFolder is where the cache has an asset's files.
func (b *Builder) assetFolder(a asset) string {
	hash := sha256.Sum256([]byte(a.module + "@" + a.version + " " + a.folder))
	return filepath.Join(b.Cache, "bin", a.name+"-"+hex.EncodeToString(hash[:])[:16])
}

// outputs is what an asset's folder in the cache must have.
func (a asset) outputs() []string { return []string{filepath.Join(filepath.Base(a.folder), a.holds)} }

var rootFSOutputs = []string{"rootfs.tar", "packages"}

// rootFSFolder is where the cache has the node's root filesystem.
func (b *Builder) rootFSFolder() string {
	_, arch := b.platform()
	hash := sha256.Sum256([]byte(strings.Join(slices.Concat([]string{debianRelease, arch}, nodePackages, unwanted), " ")))
	return filepath.Join(b.Cache, "rootfs", debianRelease+"-"+hex.EncodeToString(hash[:])[:16])
}
