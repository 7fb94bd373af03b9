package bundle

import (
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	table "github.com/operator-tracing/sandbox/sandbox/component"
)

// Format is the layout of the files that this program writes, and the only one that it reads.
const Format = 1

// Record says what a bundle is for. It is the first file of the archive.
type Record struct {
	// Format is that of the archive.
	Format int `json:"format"`
	// Platform is what the images run on: linux/amd64.
	Platform string `json:"platform"`
	// Sandbox is the version of the program that wrote the bundle, as far as it knows it.
	Sandbox string `json:"sandbox"`
	// Source is where the images came from: registry or source.
	Source string `json:"source"`
	// CertManager and Jaeger are their versions; Kubernetes is that of a node which the sandbox built, else empty.
	CertManager string `json:"certManager"`
	Jaeger      string `json:"jaeger"`
	Kubernetes  string `json:"kubernetes,omitempty"`
	// Manifests is the hash of the operator's manifests, which belong to its image and are not in the bundle.
	Manifests string `json:"manifests"`
	// Images are all images, in the order of their roles.
	Images []Entry `json:"images"`
}

// Entry is an image of a bundle.
type Entry struct {
	Role   string   `json:"role"`
	Names  []string `json:"names"`
	Digest v1.Hash  `json:"digest"`
}

// Probe is the role of the image that tests container engines.
const Probe = "probe"

// roleOf returns the role of a component's images. It is the component's name, except for the node's
// image, which has the control plane.
func roleOf(component string) string {
	if component == table.ControlPlane {
		return "node"
	}
	return component
}

// versionOf returns the version of a component in the form of [Record]: cert-manager's has a v,
// Jaeger's has none.
func versionOf(component string) string {
	version := table.Get(component).Version
	if component == table.Jaeger {
		return strings.TrimPrefix(version, "v")
	}
	return version
}

// Readable finds out whether this program can read a bundle.
func (r Record) Readable() error {
	if r.Format != Format {
		return fmt.Errorf("it has format %d, and this program reads format %d: use the program that wrote it", r.Format, Format)
	}
	return nil
}

// Check finds out whether a bundle is for this program, for a platform, and for an operator's manifests, of which the empty
// string is any.
func (r Record) Check(platform, manifests string) error {
	if err := r.Readable(); err != nil {
		return err
	}
	switch {
	case r.Platform != platform:
		return fmt.Errorf("it is for %s, and this is %s: make one on a machine of that kind", r.Platform, platform)
	case r.CertManager != versionOf(table.CertManager) || r.Jaeger != versionOf(table.Jaeger):
		return fmt.Errorf("it has cert-manager %s and Jaeger %s, and this program installs %s and %s: use the program that wrote it, or make it anew",
			r.CertManager, r.Jaeger, versionOf(table.CertManager), versionOf(table.Jaeger))
	case manifests != "" && r.Manifests != manifests:
		return errors.New("its operator belongs to other manifests than this program has: use the program that wrote it, or make it anew")
	}
	return nil
}
