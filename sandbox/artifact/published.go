package artifact

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
)

const publishedInfix = "-published-"

// BundledFolder returns the name of the cache's folder for a component's programs from a bundle.
func BundledFolder(component, key string, published bool) string {
	if published {
		return component + publishedInfix + key
	}
	return component + "-" + key
}

// IsPublished reports whether a program in the cache is from a published image, by the program's
// path.
func IsPublished(path string) bool { return strings.Contains(path, publishedInfix) }

// ProgramsFolder returns the folder of the cache for programs from published images. programs has
// the image of each program, by the program's path in the folder.
func (r *Registry) ProgramsFolder(component string, programs map[string]string) string {
	content := r.arch
	for _, program := range slices.Sorted(maps.Keys(programs)) {
		_, digest, _ := r.pinned(programs[program]) // Programs returns the error.
		content += "\n" + program + " " + programs[program] + "@" + digest
	}
	return filepath.Join(r.folder, cache.Programs, component+publishedInfix+cache.Key([]byte(content)))
}

// Programs returns a folder with programs from published images; see [Registry.ProgramsFolder]. It
// needs the registry only if the folder is not in the cache. It returns an error soon if the
// registry does not answer, and if a mirror has an image whose digest is not pinned: a mirror must
// not be able to replace programs.
func (r *Registry) Programs(ctx context.Context, report Report, component string, programs map[string]string) (dir string, err error) {
	dir = r.ProgramsFolder(component, programs)
	names := slices.Sorted(maps.Keys(programs))
	_, err = cache.Ensure(dir, names, func(temporary string) error {
		if err := r.answers(ctx, programs[names[0]], answerTimeout); err != nil {
			return err
		}
		for _, name := range names {
			if _, digest, err := r.pinned(programs[name]); err != nil || digest == "" && r.mirror.folder.base != nil {
				return errors.Join(err, fmt.Errorf("no digest of %s for the mirror", programs[name]))
			}
			image, err := r.pull(ctx, report, programs[name])
			if err != nil {
				return err
			}
			report.Say("extracting %s", path.Base(name))
			if err := r.extract(image.content, path.Base(name), filepath.Join(temporary, name)); err != nil {
				return fmt.Errorf("extracting %s from %s: %w", path.Base(name), image.Name(), err)
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("getting the published programs of %s: %w", component, err)
	}
	return dir, nil
}

// extract copies a program from an image, and checks that it can run without the image's other
// files.
func (r *Registry) extract(image v1.Image, program, to string) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range slices.Backward(layers) { // Upper layers replace files of lower ones.
		found, err := extractFrom(layer, program, to)
		if err != nil {
			return err
		}
		if found {
			return r.checkProgram(to)
		}
	}
	return errors.New("no such program in the image")
}

// extractFrom copies a program from a layer, if the layer has it, and verifies the layer's digest.
// Some images have the system and the architecture in the name of the program: jaeger-linux-amd64.
func extractFrom(layer v1.Layer, program, to string) (found bool, err error) {
	content, err := layer.Uncompressed()
	if err != nil {
		return false, err
	}
	defer content.Close()
	hash := sha256.New()
	stream := io.TeeReader(content, hash)
	for reader := tar.NewReader(stream); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, err
		}
		base := path.Base(header.Name)
		if header.Typeflag != tar.TypeReg || header.Mode&0o111 == 0 || base != program && !strings.HasPrefix(base, program+"-linux") {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return false, err
		}
		if err := cache.WriteProgram(to, reader, os.O_TRUNC); err != nil {
			return false, err
		}
		found = true
	}
	if _, err := io.Copy(io.Discard, stream); err != nil {
		return false, err
	}
	want, err := layer.DiffID()
	if got := hex.EncodeToString(hash.Sum(nil)); err == nil && got != want.Hex {
		err = fmt.Errorf("the digest of layer %s is %s", want, got)
	}
	return found, err
}

// checkProgram returns an error unless a file is a static program for the registry's architecture.
func (r *Registry) checkProgram(file string) error {
	binary, err := elf.Open(file)
	if err != nil {
		return err
	}
	defer binary.Close()
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[r.arch]
	if binary.Machine != machine {
		return fmt.Errorf("it is a program for %s, not for %s", binary.Machine, r.arch)
	}
	if binary.Section(".interp") != nil {
		return errors.New("it is dynamically linked")
	}
	return nil
}
