package image

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	"sigs.k8s.io/yaml"
)

// Mirror is a registry that has the images of all others, each under its path without the host. The zero value is none.
type Mirror struct {
	base *name.Repository  // a repository below the mirror's folder; nil for no mirror
	pins map[string]string // full tagged name to digest; nil for those that the sandbox was compiled with
}

// placeholder stands for a repository of the mirror while its address is read.
const placeholder = "image"

// NewMirror reads a mirror's address: HOST[:PORT][/FOLDER], after http:// where it has no certificate. Hosts on the loopback
// interface need none.
//
// Images are asked for by the digests that the sandbox was compiled with, so a mirror can't slip in others. One that has images
// of its own making needs a file of pins, which the user thereby vouches for: a YAML map of every tagged name to the digest.
// The empty path is no file.
func NewMirror(address, pins string) (Mirror, error) {
	base, err := folderOf("registry mirror", address)
	if err != nil {
		return Mirror{}, err
	}
	m := Mirror{base: &base}
	if pins == "" {
		return m, nil
	}
	if m.pins, err = readPins(pins); err != nil {
		return Mirror{}, fmt.Errorf("reading the pins of a registry mirror, %s: %w", pins, err)
	}
	return m, nil
}

// folderOf reads the address of a folder of a registry, as a repository below it that is called [placeholder].
func folderOf(what, address string) (name.Repository, error) {
	text, insecure := strings.CutPrefix(address, "http://")
	text = strings.TrimSuffix(strings.TrimPrefix(text, "https://"), "/")
	var options []name.Option
	if insecure {
		options = append(options, name.Insecure)
	}
	use := fmt.Sprintf("reading the %s %q: use HOST[:PORT][/FOLDER], such as mirror.example.com:5000", what, address)
	host, _, _ := strings.Cut(text, "/")
	// A name of one word without a port would be taken for a folder of Docker Hub.
	if host != "localhost" && !strings.ContainsAny(host, ".:") {
		return name.Repository{}, errors.New(use)
	}
	base, err := name.NewRepository(text+"/"+placeholder, options...)
	if err != nil {
		return base, fmt.Errorf("%s: %w", use, err)
	}
	return base, nil
}

// repository is where the mirror has a repository of another registry.
func (m Mirror) repository(of name.Repository) name.Repository {
	if m.base == nil {
		return of
	}
	folder := strings.TrimSuffix(m.base.RepositoryStr(), placeholder)
	return m.base.Registry.Repo(folder + of.RepositoryStr())
}

// References are the names of the images that are pulled, as this program spells them.
func References() []string {
	references := []string{defaults.Image}
	for _, program := range CertManagerPrograms {
		references = append(references, certManagerRepository+program+":"+CertManagerVersion)
	}
	return append(references, jaegerRepository+":"+JaegerVersion, Pause, PauseOther)
}

// readPins reads a file of pins. All images must be in it, and nothing else.
func readPins(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var given map[string]string
	if err := yaml.UnmarshalStrict(data, &given); err != nil {
		return nil, errors.New(strings.Join(strings.Fields(err.Error()), " ")) // In one line.
	}
	wanted := map[string]string{} // full name to the one that people know
	for _, reference := range References() {
		tagged, _, _ := strings.Cut(reference, "@")
		tag, err := name.NewTag(tagged)
		if err != nil {
			return nil, err
		}
		wanted[tag.Name()] = tagged
	}
	pins := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		tag, err := name.NewTag(key)
		if err != nil || wanted[tag.Name()] == "" {
			return nil, fmt.Errorf("%q is no image of the sandbox; there is %s", key, strings.Join(slices.Sorted(maps.Values(wanted)), ", "))
		}
		if _, err := v1.NewHash(given[key]); err != nil {
			return nil, fmt.Errorf("%s: the digest %q is not sha256: and 64 hexadecimal digits", key, given[key])
		}
		pins[tag.Name()] = given[key]
		delete(wanted, tag.Name())
	}
	if len(pins) < len(References()) {
		return nil, fmt.Errorf("there is no digest of %s", strings.Join(slices.Sorted(maps.Values(wanted)), ", "))
	}
	return pins, nil
}
