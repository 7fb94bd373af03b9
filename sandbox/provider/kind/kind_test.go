package kind

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// images is a source of random images.
type images struct {
	err error
}

func (i images) Origin() string { return "registry" }

func (i images) Images(_ context.Context, name string, _ artifact.Report) ([]artifact.Image, error) {
	content, err := random.Image(64, 1)
	if err != nil {
		return nil, err
	}
	return []artifact.Image{artifact.New(content, "registry.test/"+name+":v1")}, i.err
}

// newBuilder returns a cluster that fetches from a source.
func newBuilder(t *testing.T, source artifact.Provider) *Cluster {
	t.Helper()
	s := &session.Session{
		Options: session.Options{Name: "a", Images: "auto"}, Dir: state.Dir{Path: t.TempDir()},
		ImageSource: source, Builder: &build.Builder{Cache: t.TempDir()},
	}
	return Builder(s)
}

func TestFetch(t *testing.T) {
	t.Parallel()
	c := newBuilder(t, images{})
	for _, name := range []string{component.ControlPlane, component.CertManager, component.Jaeger, component.Sample} {
		if err := c.Fetch(t.Context(), component.Named(name), func(string, ...any) {}); err != nil {
			t.Errorf("Fetch(%s) = %v", name, err)
		}
		if got := c.Images(name); len(got) != 1 || got[0].Name() != "registry.test/"+name+":v1" {
			t.Errorf("Images(%s) = %v", name, got)
		}
	}
	if c.pods.Record.Images != "registry" {
		t.Errorf("the record has images from %q, want the source of the node", c.pods.Record.Images)
	}
}

func TestFetchFails(t *testing.T) {
	t.Parallel()
	failure := errors.New("no such image")
	c := newBuilder(t, images{failure})
	for _, name := range []string{component.ControlPlane, component.Jaeger} {
		if err := c.Fetch(t.Context(), component.Named(name), func(string, ...any) {}); !errors.Is(err, failure) || len(c.Images(name)) != 0 {
			t.Errorf("Fetch(%s) = %v, with the images %v", name, err, c.Images(name))
		}
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	s := &session.Session{
		Options: session.Options{Name: "b"}, Dir: state.Dir{Path: t.TempDir()},
		Record: state.Record{Name: "a", Cluster: component.Kind, Provider: "podman", Creating: true, Ports: component.Ports{component.UI: 5}},
	}
	c, err := Attach(s)
	if err != nil {
		t.Fatal(err)
	}
	if name := c.engine.Name; name != "podman" {
		t.Errorf("the engine is %q, want the recorded one", name)
	}
	if got := c.Addresses()[component.UI]; got != "http://127.0.0.1:5" {
		t.Errorf("Addresses() = %q, want the recorded port", got)
	}
	status := provider.Status{}
	if err := c.Status(t.Context(), &status); err != nil || !strings.Contains(status.Message, "did not finish") || status.Provider != "podman" {
		t.Errorf("Status() of a cluster that was not completed: %+v, %v", status, err)
	}
	err = c.Logs(t.Context(), &strings.Builder{}, "kubelet", provider.LogOptions{Previous: true})
	if !errors.Is(err, provider.ErrLogOption) {
		t.Errorf("Logs(kubelet, --previous) = %v, want %v", err, provider.ErrLogOption)
	}
}
