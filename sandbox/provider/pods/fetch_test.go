package pods

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/random"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// source has one image for each component, named after it.
type source struct{ err error }

func (s source) Origin() string { return "registry" }

func (s source) Images(_ context.Context, name string, report artifact.Report) ([]artifact.Image, error) {
	report.Say("getting %s", name)
	return []artifact.Image{artifact.New(nil, "registry.test/"+strings.ReplaceAll(name, " ", "-")+":v1")}, s.err
}

func noReport(string, ...any) {}

// Components are fetched at the same time, and each keeps its own images. A failure keeps the old ones.
func TestFetch(t *testing.T) {
	t.Parallel()
	p := &Pods{Session: &session.Session{ImageSource: source{}}}
	parts := slices.DeleteFunc(component.On(component.Kind), func(c component.Component) bool { return c.Name == component.Operator })
	var group sync.WaitGroup
	for _, part := range parts {
		group.Go(func() {
			if err := p.Fetch(t.Context(), part, nil, false, noReport); err != nil {
				t.Errorf("Fetch(%s) = %v", part.Name, err)
			}
		})
	}
	group.Wait()
	for _, part := range parts {
		if got, want := p.Images(part.Name), "registry.test/"+part.LogGroup()+":v1"; len(got) != 1 || got[0].Name() != want {
			t.Errorf("Images(%s) = %v, want %s", part.Name, got, want)
		}
	}
	failure := errors.New("no such image")
	p.ImageSource = source{failure}
	if err := p.Fetch(t.Context(), component.Named(component.Jaeger), nil, false, noReport); !errors.Is(err, failure) || len(p.Images(component.Jaeger)) != 1 {
		t.Errorf("Fetch() = %v, images %v; want %v and the images of before", err, p.Images(component.Jaeger), failure)
	}
	if got := p.Images("none"); got != nil {
		t.Errorf("Images(none) = %v", got)
	}
}

// engineWith puts an engine on the PATH that has some images of the user, as files of random content.
func engineWith(t *testing.T, names ...string) *engine.Engine {
	t.Helper()
	dir := t.TempDir()
	for i, name := range names {
		content, err := random.Image(64, 1)
		if err != nil {
			t.Fatal(err)
		}
		var archive strings.Builder
		if err := artifact.Archive(&archive, artifact.New(content, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte(archive.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var cases strings.Builder
	for i, name := range names {
		fmt.Fprintf(&cases, "'image inspect --format {{.Id}} %s') echo sha256:%064d;;\n'save -o '*' %s') /bin/cp %s/%d \"$3\";;\n", name, i, name, dir, i)
	}
	script := "#!/bin/sh\ncase \"$*\" in\n" + cases.String() + "*) exit 1;;\nesac\n"
	if err := os.WriteFile(filepath.Join(dir, "podman"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return &engine.Engine{Name: "podman"}
}

// An operator's image comes from the container engine that built it, with the other images of its
// Pods if the nodes do not pull them.
func TestFetchAnOperatorImage(t *testing.T) {
	on := engineWith(t, "example.com/op:v1", "example.com/sidecar:v1")
	s := &session.Session{Builder: &build.Builder{Cache: t.TempDir()}}
	if err := s.UseProject(); err != nil {
		t.Fatal(err)
	}
	s.Project.File.Operator.Build, s.Project.File.Operator.Image = nil, "example.com/op:v1"
	s.Project.File.Operator.Images = []string{"example.com/sidecar:v1"}
	part := component.Named(component.Operator)
	for _, others := range []bool{true, false} {
		p := &Pods{Session: s}
		var said []string
		report := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
		if err := p.Fetch(t.Context(), part, on, others, report); err != nil {
			t.Fatal(err)
		}
		got := p.Images(component.Operator)
		if len(got) != map[bool]int{true: 2, false: 1}[others] || !strings.HasPrefix(got[0].Name(), artifact.LocalRepository+"operator:") {
			t.Errorf("Fetch(others %t): %d images, the first is %s", others, len(got), got[0].Name())
		}
		if !slices.Contains(said, "example.com/op:v1, from podman") {
			t.Errorf("report %q", said)
		}
	}
	s.Project.File.Operator.Images = []string{"127.0.0.1:1/gone:v1"}
	p := &Pods{Session: s}
	err := p.Fetch(t.Context(), part, on, true, noReport)
	if err == nil || !strings.Contains(err.Error(), "getting image 127.0.0.1:1/gone:v1, which podman does not have: ") || len(p.Images(component.Operator)) != 0 {
		t.Errorf("Fetch() of an image that is nowhere = %v, images %v", err, p.Images(component.Operator))
	}
}

// Nodes of the sandbox never pull; a provider can name images differently.
func TestReference(t *testing.T) {
	t.Parallel()
	image := artifact.New(nil, "a:v1")
	p := &Pods{}
	if got := p.reference(image); got.Ref != "a:v1" || got.PullPolicy != corev1.PullNever {
		t.Errorf("reference() = %+v, want the name, never pulled", got)
	}
	p.Reference = func(i artifact.Image) manifest.Image { return manifest.Image{Ref: "mirror/" + i.Name()} }
	if got := p.reference(image); got.Ref != "mirror/a:v1" || got.PullPolicy != "" {
		t.Errorf("reference() = %+v, want the provider's", got)
	}
	for name, want := range map[string]string{"localhost:5000/op:v1": "v1", "op:0123abcd": "0123abcd"} {
		if got := tagOf(artifact.New(nil, name)); got != want {
			t.Errorf("tagOf(%s) = %s, want %s", name, got, want)
		}
	}
}

// A component without a check is ready when its objects are. A check sees the ports on record, except the
// page's, whose gate starts later.
func TestAwait(t *testing.T) {
	t.Parallel()
	p := &Pods{Session: &session.Session{Record: state.Record{Ports: component.Ports{component.UI: 5, component.Query: 6}}}}
	if err := p.await(t.Context(), component.Component{Name: "a"}); err != nil {
		t.Errorf("await() without a check = %v", err)
	}
	var seen []string
	err := p.await(t.Context(), component.Component{Name: "a", Check: func(_ context.Context, addresses map[string]string) error {
		seen = append(seen, addresses[component.Query]+addresses[component.UI])
		if len(seen) < 2 {
			return errors.New("starting")
		}
		return nil
	}})
	if want := provider.AddressesOf(p.Record.Ports)[component.Query]; err != nil || !slices.Equal(seen, []string{want, want}) {
		t.Errorf("await() = %v after checks of %q, want two of %q", err, seen, want)
	}
}

// Without an API server nothing is installed, and the connection's error is returned.
func TestStartWithoutAnAPIServer(t *testing.T) {
	t.Parallel()
	refused := errors.New("no kubeconfig")
	for _, name := range []string{component.CertManager, component.Jaeger, component.Operator, component.Sample} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &session.Session{Dir: state.Dir{Path: t.TempDir()}, Builder: &build.Builder{Root: "../../..", Cache: t.TempDir()}}
			if err := s.UseProject(); err != nil {
				t.Fatal(err)
			}
			s.Connect(func() (*rest.Config, error) { return nil, refused }, false)
			p := &Pods{Session: s}
			for range component.Named(name).Programs {
				p.SetImages(name, append(p.Images(name), artifact.New(nil, "registry.test/a:v1"))...)
			}
			part := component.Named(name)
			part.Chart = nil // It needs Go, and is rendered in package manifest.
			if name == component.CertManager {
				part.Objects = func(string) []map[string]any { return nil }
				p.SetImages(name, artifact.New(nil, "registry.test/a:v1"))
			}
			if err := p.Start(t.Context(), part, noReport); !errors.Is(err, refused) {
				t.Errorf("Start() = %v, want %v", err, refused)
			}
			if s.Record.OperatorImage != "" {
				t.Errorf("the record has the operator %s, which was not installed", s.Record.OperatorImage)
			}
		})
	}
}

// A configuration of Jaeger that is gone ends the start before anything is applied.
func TestStartJaegerWithoutItsConfiguration(t *testing.T) {
	t.Parallel()
	p := &Pods{Session: &session.Session{Record: state.Record{JaegerConfig: "/none.yaml"}}}
	p.SetImages(component.Jaeger, artifact.New(nil, "registry.test/jaeger:v1"))
	err := p.Start(t.Context(), component.Named(component.Jaeger), noReport)
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "--jaeger-config=/none.yaml: ") {
		t.Errorf("Start() = %v, want an error about the option", err)
	}
}
