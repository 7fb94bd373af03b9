package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// standIn is a Set of names; it fails where it is told to.
type standIn struct {
	origin string
	fails  map[string]error
	asked  int
}

func (s *standIn) Origin() string { return s.origin }

func (s *standIn) get(what string) (Image, error) {
	s.asked++
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
	gone := errors.New("pulling x: gone")
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	registry := &standIn{origin: "registry", fails: map[string]error{"jaeger": gone}}
	f := NewFallback(registry, &standIn{origin: "source"}, note)
	node, err := f.Node(t.Context(), nil)
	if err != nil || node.Name() != "registry/node" {
		t.Fatalf("node %v, %v", node, err)
	}
	jaeger, err := f.Jaeger(t.Context(), nil)
	if err != nil || jaeger.Name() != "source/jaeger" {
		t.Errorf("Jaeger %v, %v", jaeger, err)
	}
	certManager, err := f.CertManager(t.Context(), nil)
	if err != nil || certManager[0].Name() != "source/cert-manager" || registry.asked != 2 {
		t.Errorf("cert-manager %v, %v; the registry that failed was asked %d times, want 2", certManager, err, registry.asked)
	}
	if samples, err := f.Samples(t.Context(), nil); err != nil || samples[0].Name() != "source/pause" {
		t.Errorf("samples %v, %v", samples, err)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], gone.Error()) || !strings.Contains(notes[0], "from source") {
		t.Errorf("it says %q", notes)
	}
	if f.Origin() != "registry" {
		t.Errorf("origin %s, though the node is the registry's", f.Origin())
	}
}

// A cluster is made of its node: one from source is a cluster from source, and one that can't be built an error with both reasons.
func TestFallbackOfTheNode(t *testing.T) {
	gone := errors.New("pulling x: gone")
	f := NewFallback(&standIn{origin: "registry", fails: map[string]error{"node": gone}}, &standIn{origin: "source"}, nil)
	node, err := f.Node(t.Context(), nil)
	if cause := CanBuildNode(); cause != nil {
		if !errors.Is(err, gone) || !strings.Contains(err.Error(), cause.Error()) || f.Origin() != "registry" {
			t.Errorf("origin %s, error %v", f.Origin(), err)
		}
		return
	}
	if err != nil || node.Name() != "source/node" || f.Origin() != "source" {
		t.Errorf("node %v of %s, %v", node, f.Origin(), err)
	}
	t.Setenv("PATH", t.TempDir()) // No debootstrap.
	f = NewFallback(&standIn{origin: "registry", fails: map[string]error{"node": gone}}, &standIn{origin: "source"}, nil)
	if _, err := f.Node(t.Context(), nil); !errors.Is(err, gone) || !strings.Contains(err.Error(), "debootstrap") || f.Origin() != "registry" {
		t.Errorf("origin %s, error %v", f.Origin(), err)
	}
}

// Who gives up wants nothing built.
func TestFallbackEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	source := &standIn{origin: "source"}
	f := NewFallback(&standIn{origin: "registry", fails: map[string]error{"jaeger": os.ErrClosed}}, source, nil)
	if _, err := f.Jaeger(ctx, nil); !errors.Is(err, os.ErrClosed) || source.asked != 0 {
		t.Errorf("error %v, and the second was asked %d times", err, source.asked)
	}
}
