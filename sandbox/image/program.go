package image

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
)

// programWithLibraries returns the files of a dynamically linked program and of every library it needs, taken out of
// a root filesystem's archive into dir. kube-proxy's image needs nft this way: that is a few MB, the whole root
// filesystem would be a hundred.
func programWithLibraries(archive, program, dir string) ([]file, error) {
	wanted := []string{path.Base(program)}
	extracted := map[string]string{} // base name to path in the image
	for len(wanted) > 0 {
		found, err := extract(archive, wanted, dir)
		if err != nil {
			return nil, err
		}
		for _, name := range wanted {
			if found[name] == "" {
				return nil, fmt.Errorf("finding %s, which %s needs, in the root filesystem: no such file", name, program)
			}
			extracted[name] = found[name]
		}
		if wanted, err = missingLibraries(dir, wanted, extracted); err != nil {
			return nil, err
		}
	}
	var files []file
	for name, place := range extracted {
		files = append(files, file{path: place, source: filepath.Join(dir, name)})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return files, nil
}

// missingLibraries lists what the programs and libraries just extracted need and is not extracted yet.
func missingLibraries(dir string, names []string, have map[string]string) ([]string, error) {
	var missing []string
	for _, name := range names {
		binary, err := elf.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		needed, err := binary.ImportedLibraries()
		if err == nil {
			if interpreter := interpreterOf(binary); interpreter != "" {
				needed = append(needed, interpreter)
			}
		}
		_ = binary.Close() // It was read.
		if err != nil {
			return nil, fmt.Errorf("reading the libraries of %s: %w", name, err)
		}
		for _, library := range needed {
			if have[library] == "" && !slices.Contains(missing, library) {
				missing = append(missing, library)
			}
		}
	}
	return missing, nil
}

// interpreterOf returns the base name of the dynamic loader that an ELF program asks for.
func interpreterOf(binary *elf.File) string {
	section := binary.Section(".interp")
	if section == nil {
		return ""
	}
	data, err := section.Data()
	if err != nil {
		return ""
	}
	return path.Base(strings.TrimRight(string(data), "\x00"))
}

// extract copies the files of an archive with these base names into dir, links resolved, and returns where in the
// image each belongs: a library may be stored as a link to a file whose name has the full version. Debian's loader is
// reached through /lib64 or /lib, links to /usr/lib64 and /usr/lib, so it keeps the name that programs ask for.
func extract(archive string, names []string, dir string) (map[string]string, error) {
	found := map[string]string{}
	copied := map[string]bool{}
	links := map[string]string{} // path of the link's target to the wanted base name
	err := eachEntry(archive, func(header *tar.Header, _ io.Reader) error {
		name := path.Base(header.Name)
		if slices.Contains(names, name) && isProgramFolder(header.Name) && header.Typeflag == tar.TypeSymlink {
			target := header.Linkname
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(path.Clean(header.Name)), target)
			}
			links[strings.TrimPrefix(path.Clean(target), "/")] = name
			found[name] = path.Clean(header.Name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachEntry(archive, func(header *tar.Header, content io.Reader) error {
		if header.Typeflag != tar.TypeReg {
			return nil
		}
		place := path.Clean(header.Name)
		name, linked := linkedName(links, place)
		if !linked {
			name = path.Base(place)
			if !slices.Contains(names, name) || !isProgramFolder(place) || found[name] != "" {
				return nil
			}
			found[name] = place
		}
		out, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
		if err != nil {
			return err
		}
		copied[name] = true
		_, err = io.Copy(out, content)
		return errors.Join(err, out.Close())
	})
	for name, place := range found {
		found[name] = imagePath(name, place)
		if !copied[name] {
			delete(found, name) // A link to nothing.
		}
	}
	return found, err
}

// linkedName finds the wanted name behind a file that a link may name by its path before /lib moved into /usr/lib.
func linkedName(links map[string]string, place string) (string, bool) {
	if name, ok := links[place]; ok {
		return name, true
	}
	name, ok := links[strings.TrimPrefix(place, "usr/")]
	return name, ok
}

// imagePath is where a file goes in an image that has no links from /lib to /usr/lib: loaders under the name in
// programs' headers, the rest where the loader looks by default.
func imagePath(name, place string) string {
	if strings.HasPrefix(name, "ld-linux-x86-64") {
		return "lib64/" + name
	}
	if strings.HasPrefix(name, "ld-linux") {
		return "lib/" + name
	}
	return place
}

// isProgramFolder tells whether a path is in a folder that programs and libraries are run from.
func isProgramFolder(name string) bool {
	name = strings.TrimPrefix(path.Clean(name), "usr/")
	return strings.HasPrefix(name, "lib") || strings.HasPrefix(name, "sbin/") || strings.HasPrefix(name, "bin/")
}

func eachEntry(archive string, visit func(*tar.Header, io.Reader) error) error {
	in, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("opening the root filesystem: %w", err)
	}
	defer in.Close()
	for reader := tar.NewReader(in); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the root filesystem: %w", err)
		}
		if err := visit(header, reader); err != nil {
			return fmt.Errorf("reading %s of the root filesystem: %w", header.Name, err)
		}
	}
}
