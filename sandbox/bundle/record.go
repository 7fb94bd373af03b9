package bundle

import (
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	table "github.com/operator-tracing/sandbox/sandbox/component"
)

// Format is the version of the file format that this program writes, and the only version that it
// reads.
const Format = 1

// Record describes a bundle. It is the first file of the archive.
type Record struct {
	// Format is the version of the file format.
	Format int `json:"format"`
	// Platform is the platform of the images, for example linux/amd64.
	Platform string `json:"platform"`
	// Sandbox is the version of the program that wrote the bundle, if known.
	Sandbox string `json:"sandbox"`
	// Source is the source of the images: registry or source.
	Source string `json:"source"`
	// CertManager, Jaeger and Kubernetes are versions. Kubernetes is empty if the sandbox did not
	// build the node.
	CertManager string `json:"certManager"`
	Jaeger      string `json:"jaeger"`
	Kubernetes  string `json:"kubernetes,omitempty"`
	// Manifests is the hash of the operator's manifests, which match its image. The bundle does not
	// contain them.
	Manifests string `json:"manifests"`
	// Images are all images, in the order of their roles. A bundle of programs has none.
	Images []Entry `json:"images"`
	// Programs are the programs of an embedded cluster. A bundle of images has none.
	Programs []Program `json:"programs,omitempty"`
}

// Supports reports whether the bundle has what a kind of cluster needs.
func (r Record) Supports(kind string) bool {
	if kind == table.Embedded {
		return len(r.Programs) > 0
	}
	return len(r.Images) > 0
}

// Entry is an image of a bundle.
type Entry struct {
	Role   string   `json:"role"`
	Names  []string `json:"names"`
	Digest v1.Hash  `json:"digest"`
}

// Program is a program of an embedded cluster in a bundle.
type Program struct {
	Component string `json:"component"`
	Name      string `json:"name"` // in the table of components
	// Binary is the base name by which it must be run. Several programs can be one file that behaves
	// as the program of its name.
	Binary string `json:"binary"`
	SHA256 string `json:"sha256"`
	// Published is true if it comes from a published image.
	Published bool `json:"published,omitempty"`
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
	version := table.Named(component).Version
	if component == table.Jaeger {
		return strings.TrimPrefix(version, "v")
	}
	return version
}

// Readable returns an error if this program cannot read the bundle.
func (r Record) Readable() error {
	if r.Format != Format {
		return fmt.Errorf("unsupported format %d, want %d; use the program that wrote the bundle", r.Format, Format)
	}
	return nil
}

// Check returns an error if the bundle does not match this program, a platform or the manifests of
// an operator. An empty string matches any manifests.
func (r Record) Check(platform, manifests string) error {
	if err := r.Readable(); err != nil {
		return err
	}
	switch {
	case r.Platform != platform:
		return fmt.Errorf("bundle is for %s, this machine is %s; create a bundle on such a machine", r.Platform, platform)
	case r.CertManager != versionOf(table.CertManager) || r.Jaeger != versionOf(table.Jaeger):
		return fmt.Errorf("bundle has cert-manager %s and Jaeger %s, want %s and %s; use the program that wrote it or create a new bundle",
			r.CertManager, r.Jaeger, versionOf(table.CertManager), versionOf(table.Jaeger))
	case manifests != "" && r.Manifests != manifests:
		return errors.New("operator of the bundle has other manifests than this program; use the program that wrote it or create a new bundle")
	}
	return nil
}
