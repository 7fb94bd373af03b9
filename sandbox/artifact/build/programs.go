package build

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	table "github.com/operator-tracing/sandbox/sandbox/component"
)

// Registry has programs in published images; see [artifact.Registry].
type Registry interface {
	Programs(ctx context.Context, report artifact.Report, component string, programs map[string]string) (dir string, err error)
}

// Programs provides the components as programs of this machine. It shares the cache and its keys
// with [Source]: on Linux, the builds for kind's node run here unchanged. It also runs one build at
// a time. Its methods can be called by several goroutines and by several commands at the same time.
type Programs struct {
	source *Source
	// Published, if not nil, is used on Linux for programs whose build is not in the cache:
	// extracting them from published images takes seconds, compiling them takes minutes. If it
	// fails, the programs are compiled.
	Published Registry
	// PublishedOnly says to use no build of these programs: neither from the cache nor as a fallback.
	PublishedOnly bool
}

// NewPrograms returns Programs that build with a copy of b for this machine's system and processor.
func NewPrograms(b *Builder) *Programs {
	local := *b
	local.OS, local.Arch = runtime.GOOS, runtime.GOARCH
	return &Programs{source: NewSource(&local)}
}

func (p *Programs) folder(ctx context.Context, c component, report artifact.Report) (string, error) {
	if p.Published != nil && runtime.GOOS == "linux" && len(c.published) > 0 && (p.PublishedOnly || !p.source.cached(c)) {
		images, err := p.source.published(c)
		if err != nil {
			return "", err
		}
		dir, err := p.Published.Programs(ctx, report, c.name, images)
		if err == nil || ctx.Err() != nil || p.PublishedOnly {
			return dir, err
		}
		report.Say("building: %v", err)
	}
	dir, err := p.source.inTurn(ctx, c, report)
	if err != nil {
		return "", err
	}
	return dir, c.link(dir) // Builds of old versions have no links.
}

func (b *Builder) published(c component) (map[string]string, error) {
	versions, err := b.Versions()
	if err != nil {
		return nil, err
	}
	images := map[string]string{}
	replacer := strings.NewReplacer(kubernetesVersion, versions.Kubernetes, etcdTag, versions.EtcdTag)
	for program, image := range c.published {
		images[program] = replacer.Replace(image)
	}
	return images, nil
}

// publishedFolder returns the folder of a component's published programs in the cache, and its
// outputs.
func (b *Builder) publishedFolder(c component) (dir string, programs []string, err error) {
	images, err := b.published(c)
	if err != nil {
		return "", nil, err
	}
	_, arch := b.platform()
	dir = artifact.NewRegistry(b.Cache, arch, b.Mirror).ProgramsFolder(c.name, images)
	return dir, slices.Collect(maps.Keys(images)), nil
}

// Paths returns the paths of a component's programs, by their names in the table. Programs that were
// built from source can be links to one binary, which behaves as the program whose name it is run
// by: do not resolve or rename them. Compiling the control plane takes about ten minutes on two
// processors.
func (p *Programs) Paths(ctx context.Context, row table.Component, report artifact.Report) (map[string]string, error) {
	c := kubernetes
	if row.Name != table.ControlPlane {
		c = fromTable(row)
	}
	if c.module == "" {
		return nil, fmt.Errorf("building %s: no sources of it", row.Name)
	}
	dir, err := p.folder(ctx, c, report)
	if err != nil {
		return nil, err
	}
	if row.Chart != nil {
		if _, err := p.source.Chart(ctx, row, report); err != nil {
			return nil, err
		}
	}
	paths := map[string]string{}
	for _, program := range row.Main() {
		paths[program.Name] = filepath.Join(dir, c.folder, program.Executable())
	}
	return paths, nil
}

// Operator builds an operator. It returns the program's path and the key of its build: equal
// sources have equal keys.
func (p *Programs) Operator(ctx context.Context, program Program, report artifact.Report) (path, key string, err error) {
	cached := len(program.Sources) > 0 && p.source.cached(operatorOf(program))
	dir, err := p.source.exclusively(ctx, cached, report, func() (string, error) { return p.source.program(ctx, program, report) })
	if err != nil {
		return "", "", err
	}
	return filepath.Join(dir, OperatorProgram), cache.KeyOf(dir), nil
}

// ControlPlaneBinaries compiles kube-apiserver, etcd and kubectl for this machine. It returns their
// folder, for envtest's KUBEBUILDER_ASSETS.
func (b *Builder) ControlPlaneBinaries(ctx context.Context, report artifact.Report) (string, error) {
	paths, err := NewPrograms(b).Paths(ctx, table.Named(table.ControlPlane), report)
	if err != nil {
		return "", err
	}
	return filepath.Dir(paths[table.Etcd]), nil
}
