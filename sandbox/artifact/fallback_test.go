package artifact

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// standIn is a Provider of images without content. It fails for the names in fails.
type standIn struct {
	origin string
	fails  map[string]error
	calls  int
}

func (s *standIn) Origin() string { return s.origin }

func (s *standIn) Images(_ context.Context, component string, _ Report) ([]Image, error) {
	s.calls++
	return []Image{{Names: []string{s.origin + "/" + component}}}, s.fails[component]
}

// nameOf returns the name of the first image of a component, or the error.
func nameOf(t *testing.T, f *Fallback, component string) (string, error) {
	t.Helper()
	images, err := f.Images(t.Context(), component, nil)
	if err != nil {
		return "", err
	}
	return images[0].Name(), nil
}

func TestFallback(t *testing.T) {
	t.Parallel()
	gone := errors.New("pulling x: gone")
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	registry := &standIn{origin: "registry", fails: map[string]error{"jaeger": gone}}
	f := NewFallback(registry, &standIn{origin: "source"}, nil, note)
	for _, want := range []string{"registry/control plane", "source/jaeger", "source/cert-manager", "source/sample"} {
		_, name, _ := strings.Cut(want, "/")
		if got, err := nameOf(t, f, name); err != nil || got != want {
			t.Errorf("Images(%s) = %s, %v; want %s", name, got, err, want)
		}
	}
	if registry.calls != 2 {
		t.Errorf("%d calls of the registry, want 2: none after its failure", registry.calls)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], gone.Error()) || !strings.Contains(notes[0], "from source") {
		t.Errorf("notes = %q, want the error and the source", notes)
	}
	if f.Origin() != "registry" {
		t.Errorf("Origin() = %s, want registry, as the node is from there", f.Origin())
	}
}

// The origin is the origin of the node. If the node can't be built, the error has both causes.
func TestFallbackOfTheNode(t *testing.T) {
	t.Parallel()
	gone, needsRoot := errors.New("pulling x: gone"), errors.New("needs root")
	for _, cannotBuild := range []error{nil, needsRoot} {
		source := &standIn{origin: "source"}
		f := NewFallback(&standIn{origin: "registry", fails: map[string]error{component.ControlPlane: gone}}, source, func() error { return cannotBuild }, nil)
		node, err := nameOf(t, f, component.ControlPlane)
		if cannotBuild == nil {
			if err != nil || node != "source/control plane" || f.Origin() != "source" {
				t.Errorf("Images(control plane) = %s, %v with origin %s; want the source's", node, err, f.Origin())
			}
			continue
		}
		if !errors.Is(err, gone) || !errors.Is(err, needsRoot) || f.Origin() != "registry" || source.calls != 0 {
			t.Errorf("Images(control plane) = %v with origin %s after %d calls of the source; want both causes", err, f.Origin(), source.calls)
		}
		if got, err := nameOf(t, f, component.Jaeger); err != nil || got != "registry/jaeger" {
			t.Errorf("Images(jaeger) = %s, %v; want the registry's", got, err)
		}
	}
}

func TestFallbackStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	source := &standIn{origin: "source"}
	f := NewFallback(&standIn{origin: "registry", fails: map[string]error{"jaeger": os.ErrClosed}}, source, nil, nil)
	if _, err := f.Images(ctx, component.Jaeger, nil); !errors.Is(err, os.ErrClosed) || source.calls != 0 {
		t.Errorf("Images(jaeger) = %v after %d calls of the source; want no call", err, source.calls)
	}
}
