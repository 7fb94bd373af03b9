package artifact

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// standIn is a Provider of images without content. It fails for the names in fails.
type standIn struct {
	origin string
	fails  map[string]error
	calls  int
}

func (s *standIn) Origin() string { return s.origin }

func (s *standIn) get(what string) (Image, error) {
	s.calls++
	return Image{Names: []string{s.origin + "/" + what}}, s.fails[what]
}

func (s *standIn) Node(context.Context, Report) (Image, error) { return s.get("node") }

func (s *standIn) Jaeger(context.Context, Report) (Image, error) { return s.get("jaeger") }

func (s *standIn) CertManager(context.Context, Report) ([]Image, error) {
	image, err := s.get("cert-manager")
	return []Image{image}, err
}

func (s *standIn) Samples(context.Context, Report) ([]Image, error) {
	image, err := s.get("pause")
	return []Image{image}, err
}

func TestFallback(t *testing.T) {
	t.Parallel()
	gone := errors.New("pulling x: gone")
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	registry := &standIn{origin: "registry", fails: map[string]error{"jaeger": gone}}
	f := NewFallback(registry, &standIn{origin: "source"}, nil, note)
	node, err := f.Node(t.Context(), nil)
	if err != nil || node.Name() != "registry/node" {
		t.Fatalf("Node() = %v, %v", node, err)
	}
	jaeger, err := f.Jaeger(t.Context(), nil)
	if err != nil || jaeger.Name() != "source/jaeger" {
		t.Errorf("Jaeger() = %v, %v; want the source's", jaeger, err)
	}
	certManager, err := f.CertManager(t.Context(), nil)
	if err != nil || certManager[0].Name() != "source/cert-manager" || registry.calls != 2 {
		t.Errorf("CertManager() = %v, %v after %d calls of the registry; want the source's after 2", certManager, err, registry.calls)
	}
	if samples, err := f.Samples(t.Context(), nil); err != nil || samples[0].Name() != "source/pause" {
		t.Errorf("Samples() = %v, %v; want the source's", samples, err)
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
		f := NewFallback(&standIn{origin: "registry", fails: map[string]error{"node": gone}}, source, func() error { return cannotBuild }, nil)
		node, err := f.Node(t.Context(), nil)
		if cannotBuild == nil {
			if err != nil || node.Name() != "source/node" || f.Origin() != "source" {
				t.Errorf("Node() = %v, %v with origin %s; want the source's", node, err, f.Origin())
			}
			continue
		}
		if !errors.Is(err, gone) || !errors.Is(err, needsRoot) || f.Origin() != "registry" || source.calls != 0 {
			t.Errorf("Node() = %v with origin %s after %d calls of the source; want both causes", err, f.Origin(), source.calls)
		}
		if jaeger, err := f.Jaeger(t.Context(), nil); err != nil || jaeger.Name() != "registry/jaeger" {
			t.Errorf("Jaeger() = %v, %v; want the registry's", jaeger, err)
		}
	}
}

func TestFallbackStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	source := &standIn{origin: "source"}
	f := NewFallback(&standIn{origin: "registry", fails: map[string]error{"jaeger": os.ErrClosed}}, source, nil, nil)
	if _, err := f.Jaeger(ctx, nil); !errors.Is(err, os.ErrClosed) || source.calls != 0 {
		t.Errorf("Jaeger() = %v after %d calls of the source; want no call", err, source.calls)
	}
}
