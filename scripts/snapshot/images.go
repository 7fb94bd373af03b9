package main

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// images are the images of a release: the reference operator, and the program sandbox, which
// contains the observer.
var images = map[string]string{"operator": "./operator", "sandbox": "./sandbox"}

// binary is the program of one image on one platform.
type binary struct {
	platform v1.Platform
	content  []byte
}

// buildImages writes an OCI layout in a tar file for each image. It contains one image for each of
// the platforms that have Linux.
func (s *snapshot) buildImages(ctx context.Context, out string, platforms []string) error {
	for _, name := range slices.Sorted(maps.Keys(images)) {
		var binaries []binary
		for _, platform := range platforms {
			system, machine, _ := strings.Cut(platform, "/")
			if system != "linux" {
				continue
			}
			content, err := compiled(ctx, images[name], system, machine)
			if err != nil {
				return fmt.Errorf("building the image %s for %s: %w", name, platform, err)
			}
			if name != "sandbox" { // It has a bill beside its archive.
				if err := s.writeBill(out, name+"_"+s.version+"_"+system+"_"+machine, content); err != nil {
					return err
				}
			}
			binaries = append(binaries, binary{v1.Platform{OS: system, Architecture: machine}, content})
		}
		if len(binaries) == 0 {
			continue
		}
		file, err := s.ociLayout(name, binaries)
		if err != nil {
			return fmt.Errorf("assembling the image %s: %w", name, err)
		}
		if err := s.write(out, artifact{fmt.Sprintf("%s_%s.oci.tar", name, s.version), file}); err != nil {
			return err
		}
	}
	return nil
}

// writeBill writes the bill of materials of a program.
func (s *snapshot) writeBill(out, name string, program []byte) error {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return err
	}
	materials, err := bill(info, s.version, s.time)
	if err != nil {
		return err
	}
	return s.write(out, artifact{name + ".cdx.json", materials})
}

// compiled returns the content of a program of the repository.
func compiled(ctx context.Context, pkg, system, machine string) ([]byte, error) {
	scratch, err := os.MkdirTemp("", "snapshot")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	file := filepath.Join(scratch, "program")
	if err := compile(ctx, file, pkg, system, machine); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// ociLayout returns a tar file with an OCI layout of an image for several platforms.
func (s *snapshot) ociLayout(name string, binaries []binary) ([]byte, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range binaries {
		image, err := s.image(name, b)
		if err != nil {
			return nil, err
		}
		platform := b.platform
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	folder, err := os.MkdirTemp("", "snapshot")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return nil, err
	}
	reference := "ghcr.io/operator-tracing/" + name + ":" + s.version
	err = path.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": reference, // podman and skopeo
		"io.containerd.image.name":          reference, // docker and containerd
	}))
	if err != nil {
		return nil, err
	}
	return packFolder(folder, s.time)
}

// image returns an image with a program and an empty /tmp. It has no certificates of authorities,
// because the building machine can trust others than the user.
func (s *snapshot) image(name string, b binary) (v1.Image, error) {
	var files bytes.Buffer
	archive := tar.NewWriter(&files)
	err := errors.Join(
		add(archive, &tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777, ModTime: s.time}, nil),
		add(archive, &tar.Header{Name: name, Mode: 0o755, ModTime: s.time}, b.content),
		archive.Close(),
	)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = b.platform.OS, b.platform.Architecture, v1.Time{Time: s.time}
	config.Config = v1.Config{
		User: "65532:65532", Env: []string{"HOME=/tmp"}, Entrypoint: []string{"/" + name},
		Labels: map[string]string{
			"org.opencontainers.image.source":   "https://github.com/operator-tracing/sandbox",
			"org.opencontainers.image.version":  s.version,
			"org.opencontainers.image.revision": s.commit,
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return mutate.ConfigFile(image, config)
}

// packFolder returns a tar file with the files of a folder.
func packFolder(folder string, modified time.Time) ([]byte, error) {
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		return add(archive, &tar.Header{Name: name, Mode: 0o644, ModTime: modified}, content)
	})
	return buffer.Bytes(), errors.Join(err, archive.Close())
}
