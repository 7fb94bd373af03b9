package lifecycle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/bundle"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/provider/embedded"
	"github.com/operator-tracing/sandbox/sandbox/provider/kind"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// buildLimit limits a step that may have to compile: a first build of everything takes 20 minutes on
// two cores, and builds wait for each other.
const buildLimit = 35 * time.Minute

// Fetches returns the steps that fetch all components of a kind of cluster.
type Fetches = func(s *Sandbox) []graph.Step

// BuildAll builds everything from source for this machine's architecture; with --cluster=embedded
// only programs, with --cluster=kind only images.
func (s *Sandbox) BuildAll(ctx context.Context, fetches Fetches, progress *ui.Progress) error {
	if err := s.useSources(); err != nil {
		return err
	}
	s.ImageSource = build.NewSource(s.Builder)
	s.Images = "source"
	return s.fetchAll(ctx, fetches, progress, func() {})
}

// fetchAll fetches the components of each kind of cluster, and calls fetched after each.
func (s *Sandbox) fetchAll(ctx context.Context, fetches Fetches, progress *ui.Progress, fetched func()) error {
	for _, name := range s.kindsToBuild(progress) {
		s.useToFetch(name)
		if err := graph.Do(ctx, progress, fetches(s)); err != nil {
			return err
		}
		fetched()
	}
	return nil
}

// kindsToBuild returns the kinds of clusters whose components a command fetches: the one in the
// options, or kind and embedded if this machine can provide both.
func (s *Sandbox) kindsToBuild(progress *ui.Progress) []string {
	if s.Cluster != "auto" {
		return []string{s.Cluster}
	}
	if s.ImageSource.Origin() == "source" {
		if err := s.Builder.CanBuildNode(); err != nil {
			progress.Printf("kind's node can't be built here: %v", err)
			return []string{component.Embedded}
		}
	}
	return []string{component.Kind, component.Embedded}
}

func (s *Sandbox) useToFetch(name string) {
	if name == component.Embedded {
		s.use(name, embedded.Builder(s.Session))
	} else {
		s.use(component.Kind, kind.Builder(s.Session))
	}
}

func (s *Sandbox) useSources() error {
	if err := s.UseBuilder(); err != nil {
		return err
	}
	return s.UseProject()
}

// ControlPlaneBinaries builds the programs of envtest for this machine.
func (s *Sandbox) ControlPlaneBinaries(ctx context.Context, report report) (string, error) {
	if err := s.UseBuilder(); err != nil {
		return "", err
	}
	return s.Builder.ControlPlaneBinaries(ctx, report)
}

// KindConfig loads the node image into the engine and returns the configuration by which plain kind
// creates the same node.
func (s *Sandbox) KindConfig(ctx context.Context, progress *ui.Progress) (string, error) {
	s.ChooseTracing()
	var node *kind.Cluster
	err := graph.Do(ctx, progress, []graph.Step{{Name: "container engine", Limit: buildLimit, Run: func(ctx context.Context, report report) (err error) {
		node, err = kind.Find(ctx, s.Session)
		return err
	}}})
	if err != nil {
		return "", err
	}
	s.use(component.Kind, node)
	controlPlane := component.Named(component.ControlPlane)
	err = graph.Do(ctx, progress, []graph.Step{
		{Name: "images", Limit: time.Minute, Run: s.Prepare},
		{Name: "fetch control plane", Limit: buildLimit, Needs: []string{"images"}, Run: s.Fetch(controlPlane)},
		{Name: "deliver control plane", Limit: buildLimit, Needs: []string{"fetch control plane"}, Run: s.Deliver(controlPlane)},
	})
	if err != nil {
		return "", err
	}
	return node.Config()
}

// CreateBundle writes a bundle with everything that up needs on machines like this one: the images of
// a kind cluster, the programs of an embedded one, or both. It needs no engine.
func (s *Sandbox) CreateBundle(ctx context.Context, path string, fetches Fetches, progress *ui.Progress) (bundle.Summary, error) {
	var summary bundle.Summary
	s.Record = state.Record{} // The bundle does not depend on the sandbox that is up.
	if err := s.useSources(); err != nil {
		return summary, err
	}
	if err := s.BuiltHere(); err != nil {
		return summary, err
	}
	// Checked now, since a long build follows.
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return summary, fmt.Errorf("writing bundle %s: there is no folder %s", path, filepath.Dir(path))
	}
	if err := graph.Do(ctx, progress, []graph.Step{{Name: "images", Limit: time.Minute, Run: s.ChooseImages}}); err != nil {
		return summary, err
	}
	contents := bundle.Contents{
		Platform: "linux/" + runtime.GOARCH, Sandbox: Version(), Source: s.ImageSource.Origin(), Images: map[string][]artifact.Image{},
		Charts: map[string]string{},
	}
	if err := s.fetchAll(ctx, fetches, progress, func() { s.addFetched(&contents) }); err != nil {
		return summary, err
	}
	err := graph.Do(ctx, progress, []graph.Step{{Name: "bundle", Limit: buildLimit, Run: func(ctx context.Context, report report) error {
		err := s.completeContents(ctx, &contents, report)
		if err != nil {
			return err
		}
		summary, err = bundle.Create(ctx, path, contents, report)
		report("%d MB", summary.Size>>20)
		return err
	}}})
	return summary, err
}

func (s *Sandbox) addFetched(contents *bundle.Contents) {
	switch c := s.cluster.(type) {
	case *kind.Cluster:
		for _, row := range component.On(component.Kind) {
			contents.Images[row.Name] = c.Images(row.Name)
		}
	case *embedded.Cluster:
		contents.Programs = c.Programs()
	}
}

// completeContents adds the files that no component fetches.
func (s *Sandbox) completeContents(ctx context.Context, contents *bundle.Contents, report report) (err error) {
	if contents.Manifests, err = s.ManifestsHash(); err != nil {
		return err
	}
	for _, row := range component.WithChart() {
		if contents.Charts[row.Name], err = s.Chart(ctx, row, report); err != nil {
			return err
		}
	}
	if len(contents.Images) == 0 {
		return nil
	}
	probe, err := s.Probe(ctx)
	contents.Images[bundle.Probe] = []artifact.Image{probe}
	return err
}

// Version returns the version of this program: of its module, or the commit, as far as Go recorded
// them.
func Version() string {
	info, found := debug.ReadBuildInfo()
	if !found {
		return "unknown"
	}
	return info.Main.Version
}
