package build

import (
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/debian"
	table "github.com/operator-tracing/sandbox/sandbox/component"
)

// Parts are the builds that a kind of sandbox needs.
type Parts struct {
	components []component
	published  bool // the programs in published images can replace builds
	rootFS     bool
}

// The builds that the kinds of sandboxes need.
var (
	// RegistryParts are for kind with images from a registry: the engine's probe.
	RegistryParts = Parts{components: []component{nodeInit}}
	// SourceParts are for kind with images from source.
	SourceParts = Parts{components: slices.Concat(onNode, rowsOn(table.Kind)), rootFS: true}
	// ProgramParts are for processes of this machine.
	ProgramParts = Parts{components: append([]component{kubernetes}, rowsOn(table.Embedded)...), published: true}
)

// Missing returns the names of the builds that are not in the cache; long are the builds among them
// that take minutes. The operator is one of them, unless its Main is empty.
func (b *Builder) Missing(parts Parts, operator Program) (names, long []string) {
	const root = "root filesystem"
	for _, c := range parts.components {
		if b.cached(c) {
			continue
		}
		if dir, programs, err := b.publishedFolder(c); parts.published && err == nil && len(programs) > 0 && cache.Complete(dir, programs) {
			continue
		}
		names = append(names, c.name)
		if c.name != nodeInit.name {
			long = append(long, c.name)
		}
	}
	if operator.Main != "" && (len(operator.Sources) == 0 || !b.cached(operatorOf(operator))) {
		names = append(names, OperatorProgram)
	}
	for _, row := range table.WithChart() {
		if !cache.Complete(b.chartFolder(row)) {
			names = append(names, row.ChartName())
		}
	}
	if parts.rootFS && !cache.Complete(b.rootFSFolder(), debian.Outputs) {
		names, long = append(names, root), append(long, root)
	}
	return names, long
}

var keyed = regexp.MustCompile(`-([0-9a-f]{16})(/|$)`)

// KeyOfProgram returns the key of the build that a program in the cache belongs to, by the
// program's path. It returns "" for other programs.
func KeyOfProgram(path string) string {
	found := keyed.FindAllStringSubmatch(filepath.ToSlash(path), -1)
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1][1]
}

// Leftovers lists builds and pulled images that this version does not need and that were not used
// since a time; see [cache.UnusedSince]. Builds of operators only count by their use: without
// running Go, their keys are unknown.
func (b *Builder) Leftovers(since time.Time) ([]cache.Leftover, error) {
	keys, err := b.neededKeys()
	if err != nil {
		return nil, fmt.Errorf("listing the builds that the cache must keep: %w", err)
	}
	return cache.Leftovers(b.Cache, since, keys, artifact.Pinned())
}

// neededKeys returns the keys of this version's builds and layers, for engines and for this
// machine.
func (b *Builder) neededKeys() (map[string]bool, error) {
	keys := map[string]bool{}
	for _, goos := range slices.Compact([]string{"linux", runtime.GOOS}) {
		builder := *b
		builder.OS = goos
		built := map[string]string{}
		for _, c := range slices.Concat(SourceParts.components, ProgramParts.components) {
			key, _, err := builder.key(c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			keys[key], built[c.name] = true, key
			if dir, _, err := builder.publishedFolder(c); err == nil {
				keys[cache.KeyOf(dir)] = true
			}
		}
		versions, err := builder.Versions()
		if err != nil {
			return nil, err
		}
		for _, row := range table.WithChart() {
			dir, _ := builder.chartFolder(row)
			keys[cache.KeyOf(dir)] = true
		}
		root := builder.rootFSFolder()
		keys[cache.KeyOf(root)] = true
		keys[systemKey(nodeParts{
			dirs: built, rootFS: rootFS{archive: filepath.Join(root, debian.Outputs[0])}, versions: versions,
		})] = true
	}
	return keys, nil
}
