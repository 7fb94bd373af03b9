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
	"github.com/operator-tracing/sandbox/sandbox/provider/embedded"
	"github.com/operator-tracing/sandbox/sandbox/provider/kind"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// buildLimit limits a step that may have to compile: a first build of everything takes 20 minutes on
// two cores, and builds wait for each other.
const buildLimit = 35 * time.Minute

// Fetches returns the steps that fetch all components of a kind of cluster.
type Fetches = func(s *Sandbox) []Step

// BuildAll builds everything from source for this machine's architecture; with --cluster=embedded
// only programs, with --cluster=kind only images.
func (s *Sandbox) BuildAll(ctx context.Context, fetches Fetches, progress *ui.Progress) error {
	if err := s.useSources(); err != nil {
		return err
	}
	s.ImageSource = build.NewSource(s.Builder)
	kinds := []string{s.Cluster}
	if s.Cluster == "auto" {
		kinds = []string{component.Kind, component.Embedded}
		if err := build.CanBuildNode(); err != nil {
			progress.Printf("kind's node can't be built here: %v", err)
			kinds = kinds[1:]
		}
	}
	for _, name := range kinds {
		if name == component.Embedded {
			s.use(name, embedded.Builder(s.Session))
		} else {
			s.use(component.Kind, kind.Builder(s.Session))
		}
		if err := Do(ctx, progress, fetches(s)); err != nil {
			return err
		}
	}
	return nil
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
	err := Do(ctx, progress, []Step{{Name: "container engine", Limit: buildLimit, Run: func(ctx context.Context, report report) (err error) {
		node, err = kind.Find(ctx, s.Session)
		return err
	}}})
	if err != nil {
		return "", err
	}
	s.use(component.Kind, node)
	controlPlane, _ := component.Named(component.ControlPlane)
	err = Do(ctx, progress, []Step{
		{Name: "images", Limit: time.Minute, Run: s.Prepare},
		{Name: "fetch control plane", Limit: buildLimit, Needs: []string{"images"}, Run: s.Fetch(controlPlane)},
		{Name: "deliver control plane", Limit: buildLimit, Needs: []string{"fetch control plane"}, Run: s.Deliver(controlPlane)},
	})
	if err != nil {
		return "", err
	}
	return node.Config()
}

// CreateBundle writes a bundle with everything that up needs for a kind cluster on machines like
// this one. It needs no engine.
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
	node := kind.Builder(s.Session)
	s.use(component.Kind, node)
	if err := Do(ctx, progress, []Step{{Name: "images", Limit: time.Minute, Run: s.ChooseImages}}); err != nil {
		return summary, err
	}
	steps := fetches(s)
	var all []string
	for _, step := range steps {
		all = append(all, step.Name)
	}
	steps = append(steps, Step{Name: "bundle", Limit: 30 * time.Minute, Needs: all, Run: func(ctx context.Context, report report) error {
		contents, err := contentsOf(ctx, s.Session, node, report)
		if err != nil {
			return err
		}
		summary, err = bundle.Create(ctx, path, contents, report)
		report("%d MB", summary.Size>>20)
		return err
	}})
	err := Do(ctx, progress, steps)
	return summary, err
}

// contentsOf collects what a bundle holds after all components were fetched.
func contentsOf(ctx context.Context, s *session.Session, node *kind.Cluster, report report) (contents bundle.Contents, err error) {
	contents = bundle.Contents{
		Platform: "linux/" + runtime.GOARCH, Sandbox: Version(), Source: s.ImageSource.Origin(), Images: map[string][]artifact.Image{},
	}
	for _, c := range component.On(component.Kind) {
		contents.Images[c.Name] = node.Images(c.Name)
	}
	if contents.Manifests, err = s.ManifestsHash(); err != nil {
		return contents, err
	}
	if contents.ChartDir, err = s.Chart(ctx, report); err != nil {
		return contents, err
	}
	probe, err := s.Probe(ctx)
	contents.Images[bundle.Probe] = []artifact.Image{probe}
	return contents, err
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
