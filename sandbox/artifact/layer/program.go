package layer

import (
	"archive/tar"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
)

// WithLibraries returns the files of a dynamically linked program and of all libraries that it
// needs. It copies them from a root filesystem's archive into dir. The image of kube-proxy gets nft
// this way: these files have a few MB, the whole root filesystem has a hundred.
func WithLibraries(archive, program, dir string) ([]File, error) {
	in, err := os.Open(archive)
	if err != nil {
		return nil, fmt.Errorf("opening the root filesystem: %w", err)
	}
	defer in.Close()
	root, err := readRoot(in)
	if err != nil {
		return nil, fmt.Errorf("reading the root filesystem: %w", err)
	}
	var files []File
	wanted := []string{path.Base(program)}
	for i := 0; i < len(wanted); i++ {
		name := wanted[i]
		content := root.open(name)
		if content == nil {
			return nil, fmt.Errorf("finding %s, which %s needs, in the root filesystem: no such file", name, program)
		}
		needed, err := libraries(content)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		for _, library := range needed {
			if !slices.Contains(wanted, library) {
				wanted = append(wanted, library)
			}
		}
		source := filepath.Join(dir, name)
		if err := cache.WriteProgram(source, content, os.O_TRUNC); err != nil {
			return nil, fmt.Errorf("copying %s from the root filesystem: %w", name, err)
		}
		files = append(files, File{Path: imagePath(name, root.paths[name]), Source: source})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// libraries returns the base names of the libraries that an ELF file needs, its loader included.
func libraries(content io.ReaderAt) ([]string, error) {
	binary, err := elf.NewFile(content)
	if err != nil {
		return nil, err
	}
	needed, err := binary.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	if section := binary.Section(".interp"); section != nil {
		if loader, err := section.Data(); err == nil {
			needed = append(needed, path.Base(strings.TrimRight(string(loader), "\x00")))
		}
	}
	return needed, nil
}

// root is an index of the programs and libraries in a root filesystem's archive. Debian's /lib and
// /bin are links to /usr/lib and /usr/bin, so its keys are paths without "usr/".
type root struct {
	paths   map[string]string            // base name to path in the archive
	links   map[string]string            // key of a symbolic link to the key of its target
	content map[string]*io.SectionReader // key of a file to its content
}

func readRoot(in *os.File) (root, error) {
	r := root{map[string]string{}, map[string]string{}, map[string]*io.SectionReader{}}
	for reader := tar.NewReader(in); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		place := path.Clean(header.Name)
		name, key := path.Base(place), keyOf(place)
		if !strings.HasPrefix(key, "lib") && !strings.HasPrefix(key, "sbin/") && !strings.HasPrefix(key, "bin/") {
			continue
		}
		switch header.Typeflag {
		case tar.TypeSymlink: // It has the name that programs ask for, the file one with its version.
			target := header.Linkname
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(place), target)
			}
			r.paths[name], r.links[key] = place, keyOf(target)
		case tar.TypeReg:
			offset, err := in.Seek(0, io.SeekCurrent)
			if err != nil {
				return r, err
			}
			r.content[key] = io.NewSectionReader(in, offset, header.Size)
			if r.paths[name] == "" {
				r.paths[name] = place
			}
		}
	}
}

func keyOf(place string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path.Clean(place), "/"), "usr/")
}

// open returns the content of a program or library by its base name, or nil.
func (r root) open(name string) *io.SectionReader {
	key := keyOf(r.paths[name])
	for range 8 { // Links can form a circle.
		if content := r.content[key]; content != nil {
			return content
		}
		key = r.links[key]
	}
	return nil
}

// imagePath returns the path of a file in an image that has no links from /lib to /usr/lib: loaders
// get the path in the headers of programs, other files stay where the loader looks by default.
func imagePath(name, place string) string {
	if strings.HasPrefix(name, "ld-linux-x86-64") {
		return "lib64/" + name
	}
	if strings.HasPrefix(name, "ld-linux") {
		return "lib/" + name
	}
	return place
}
