package lifecycle

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/bundle"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// origin is a source of images that has none.
type origin string

func (o origin) Origin() string { return string(o) }

func (o origin) Images(context.Context, string, artifact.Report) ([]artifact.Image, error) {
	return nil, errors.New("no images")
}

// builder returns a sandbox in this repository, with a cache of its own.
func builder(t *testing.T, options session.Options) *Sandbox {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir()) // Without a container engine and without Go.
	options.Source, options.StateDir = "../..", filepath.Join(t.TempDir(), "state")
	s, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// recorded returns steps that record the kind of cluster, and fail for one of them.
func recorded(kinds *[]string, failing string) Fetches {
	return func(s *Sandbox) []graph.Step {
		return []graph.Step{{Name: "fetch", Limit: time.Minute, Run: func(context.Context, report) error {
			*kinds = append(*kinds, s.Kind())
			if s.Kind() == failing {
				return errors.New("no space left on device")
			}
			return nil
		}}}
	}
}

// A build is from source and for the kinds of clusters in the options. The first failure ends it.
func TestBuildAll(t *testing.T) {
	for name, test := range map[string]struct {
		cluster, failing string
		want             []string
	}{
		"embedded":       {component.Embedded, "", []string{component.Embedded}},
		"kind":           {component.Kind, "", []string{component.Kind}},
		"kind, failing":  {component.Kind, component.Kind, []string{component.Kind}},
		"all there is":   {"", "", nil},
		"all, but fails": {"", component.Embedded, nil},
	} {
		s := builder(t, session.Options{Cluster: test.cluster})
		var kinds []string
		err := s.BuildAll(t.Context(), recorded(&kinds, test.failing), nil)
		want := test.want
		if want == nil {
			want = []string{component.Kind, component.Embedded}
			if s.Builder.CanBuildNode() != nil {
				want = want[1:]
			}
		}
		if (err != nil) != (test.failing != "") || !slices.Equal(kinds, want) {
			t.Errorf("%s: BuildAll() = %v for %q, want %q", name, err, kinds, want)
		}
		if s.ImageSource.Origin() != "source" || s.Images != "source" {
			t.Errorf("%s: images from %s, option %s; want the sources", name, s.ImageSource.Origin(), s.Images)
		}
	}
}

// Images from a registry need no tools of this machine.
func TestKindsToBuild(t *testing.T) {
	for _, test := range []struct {
		cluster string
		origin  origin
		want    []string
	}{
		{"auto", "registry", []string{component.Kind, component.Embedded}},
		{component.Embedded, "registry", []string{component.Embedded}},
		{component.Kind, "source", []string{component.Kind}},
	} {
		s := newSandbox(t, state.Record{})
		s.Cluster, s.ImageSource = test.cluster, test.origin
		if got := s.kindsToBuild(nil); !slices.Equal(got, test.want) {
			t.Errorf("kindsToBuild() with --cluster=%s, images from %s = %q, want %q", test.cluster, test.origin, got, test.want)
		}
	}
}

// After each kind of cluster, what it fetched is kept.
func TestFetchAll(t *testing.T) {
	s := builder(t, session.Options{Images: "source"})
	if err := s.useSources(); err != nil {
		t.Fatal(err)
	}
	s.ImageSource = origin("registry")
	var kinds []string
	fetched := 0
	if err := s.fetchAll(t.Context(), recorded(&kinds, ""), nil, func() { fetched++ }); err != nil || fetched != 2 || len(kinds) != 2 {
		t.Errorf("fetchAll() = %v, fetched %d times for %q", err, fetched, kinds)
	}
	contents := bundle.Contents{Images: map[string][]artifact.Image{}}
	s.useToFetch(component.Kind)
	s.addFetched(&contents)
	if len(contents.Images) != len(component.On(component.Kind)) {
		t.Errorf("images of %d components, want all of a kind cluster", len(contents.Images))
	}
	kinds, fetched = nil, 0
	if err := s.fetchAll(t.Context(), recorded(&kinds, component.Kind), nil, func() { fetched++ }); err == nil || fetched != 0 || len(kinds) != 1 {
		t.Errorf("fetchAll() = %v, fetched %d times for %q; want the failure of the first kind", err, fetched, kinds)
	}
}

// A bundle that cannot be written is an error before the long build.
func TestCreateBundleFails(t *testing.T) {
	for name, test := range map[string]struct {
		path   string
		change func(*Sandbox)
		want   string
	}{
		"no folder":       {"/none/a.tar", func(*Sandbox) {}, "writing bundle /none/a.tar: there is no folder /none"},
		"images of users": {"a.tar", func(s *Sandbox) { s.Project.File.Operator.Images = []string{"example.com/x:v1"} }, "a bundle has no images of the user's"},
	} {
		s := builder(t, session.Options{Images: "source"})
		s.Record = quiet(component.Kind)
		if err := s.useSources(); err != nil {
			t.Fatal(err)
		}
		test.change(s)
		var kinds []string
		_, err := s.CreateBundle(t.Context(), test.path, recorded(&kinds, ""), nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || len(kinds) > 0 {
			t.Errorf("%s: CreateBundle() = %v after fetching %q, want %q and no fetch", name, err, kinds, test.want)
		}
	}
	s := builder(t, session.Options{Images: "source", Cluster: component.Embedded})
	var kinds []string
	path := filepath.Join(t.TempDir(), "a.tar")
	if _, err := s.CreateBundle(t.Context(), path, recorded(&kinds, component.Embedded), nil); err == nil || len(kinds) != 1 {
		t.Errorf("CreateBundle() = %v after fetching %q, want the error of the fetch", err, kinds)
	}
	if found, err := filepath.Glob(path + "*"); err != nil || len(found) > 0 {
		t.Errorf("after a failure there are %q, %v", found, err)
	}
}

// The sources are found before anything is built.
func TestBuildOutsideTheRepository(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	s := newSandbox(t, state.Record{})
	s.Source = t.TempDir()
	var kinds []string
	for name, do := range map[string]func() error{
		"BuildAll": func() error { return s.BuildAll(t.Context(), recorded(&kinds, ""), nil) },
		"CreateBundle": func() error {
			_, err := s.CreateBundle(t.Context(), "a.tar", recorded(&kinds, ""), nil)
			return err
		},
		"ControlPlaneBinaries": func() error {
			_, err := s.ControlPlaneBinaries(t.Context(), noReport)
			return err
		},
		"ChooseCluster": func() error { return s.ChooseCluster(t.Context(), noReport) },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), "name it by --source") || len(kinds) > 0 {
			t.Errorf("%s outside the repository = %v after fetching %q", name, err, kinds)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if Version() == "" {
		t.Error("Version() is empty; a bundle names the program that wrote it")
	}
}
