package session

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/bundle"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// FromBundle is the origin of a bundle's images in the record.
const FromBundle = "bundle"

// UseBundle selects the bundle that images come from: the one that the options name, or the one
// that the sandbox was created from unless the options name another origin. It reports whether
// there is one. Commands that build do not call it.
func (s *Session) UseBundle() bool {
	s.bundlePath = s.Options.Bundle
	if s.Options.Bundle == "" && s.Options.Images == "auto" && s.RegistryMirror == "" && s.Record.Images == FromBundle {
		s.bundlePath = s.Record.Bundle
	}
	return s.bundlePath != ""
}

// BundledPrograms returns the bundle, or nil if there is none with programs.
func (s *Session) BundledPrograms() *bundle.Bundle {
	if s.bundle == nil || !s.bundle.Record.Supports(component.Embedded) {
		return nil
	}
	return s.bundle
}

// FitBundle returns the kind of cluster that the bundle supports: the wanted one, or, for "auto", kind
// if it can. It returns an error if the bundle does not support the wanted one.
func (s *Session) FitBundle(wanted string) (string, error) {
	if s.bundle == nil {
		return wanted, nil
	}
	switch record := s.bundle.Record; {
	case wanted == "auto" && !record.Supports(component.Kind):
		return component.Embedded, nil
	case wanted != "auto" && !record.Supports(wanted):
		return "", settings.Given("cluster", wanted).And("bundle", s.bundlePath).Errorf("the bundle has nothing for this kind of cluster; create one by %s", hint.Run("bundle", "create", "--cluster="+wanted))
	}
	return wanted, nil
}

// Bundled reports whether UseBundle selected a bundle.
func (s *Session) Bundled() bool { return s.bundlePath != "" }

// BundlePath returns the path of the selected bundle; empty if there is none.
func (s *Session) BundlePath() string { return s.bundlePath }

// OpenBundle reads and checks the whole bundle, before anything is changed.
func (s *Session) OpenBundle(ctx context.Context, report Report) error {
	path, err := filepath.Abs(s.bundlePath)
	if err != nil {
		return fmt.Errorf("opening the bundle: %w", err)
	}
	if err := s.UseProject(); err != nil {
		return err
	}
	if err := s.BuiltHere(); err != nil {
		return err
	}
	manifests, err := s.ManifestsHash()
	if err != nil {
		return err
	}
	cache, err := state.CachePath()
	if err != nil {
		return err
	}
	report("reading all of %s", path)
	s.bundle, err = bundle.Open(ctx, path, cache, func(record bundle.Record) error {
		return record.Check("linux/"+runtime.GOARCH, manifests)
	})
	if errors.Is(err, fs.ErrNotExist) && s.Options.Bundle == "" {
		return fmt.Errorf("%w: the sandbox %s was made of it; name where it is now by --bundle, or take images from elsewhere by --images", err, s.Name)
	}
	if err != nil {
		return err
	}
	s.ImageSource, s.Record.Bundle = s.bundle, path
	report("%s, images from %s, %d MB", s.bundle.Record.Platform, s.bundle.Record.Source, s.bundle.Summary().Size>>20)
	return nil
}

// RecordImages writes the origin of the images into the record, which the caller saves.
func (s *Session) RecordImages() {
	s.Record.Images = s.ImageSource.Origin()
	if s.bundle == nil {
		s.Record.Bundle = ""
	}
}

// BuiltHere returns an error if the operator needs images that the sandbox does not build.
func (s *Session) BuiltHere() error {
	if others := s.Manifests.OtherImages(); len(others) > 0 {
		return fmt.Errorf("%s needs %s: a bundle has no images of the user's", s.Project.Name(), strings.Join(others, ", "))
	}
	if !s.Manifests.Built() {
		return fmt.Errorf("%s names an image of its operator: a bundle has only operators that the sandbox builds (operator.build)", s.Project.Name())
	}
	return nil
}

// ManifestsHash identifies the operator's manifests.
func (s *Session) ManifestsHash() (string, error) {
	data, err := json.Marshal(s.Manifests.Objects)
	if err != nil {
		return "", fmt.Errorf("hashing the operator's manifests: %w", err)
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(data)), nil
}
