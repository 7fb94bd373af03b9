package bundle

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	table "github.com/operator-tracing/sandbox/sandbox/component"
)

// Paths returns the paths of a component's programs, by their names in the table. It writes them
// into the cache if they are missing.
func (b *Bundle) Paths(_ context.Context, row table.Component, _ artifact.Report) (map[string]string, error) {
	paths, _, err := b.extract(row.Name)
	return paths, err
}

// Operator returns the path of the operator and a version, which is derived from its content. The
// bundle was written for one operator: program is ignored.
func (b *Bundle) Operator(_ context.Context, _ build.Program, _ artifact.Report) (path, version string, err error) {
	paths, version, err := b.extract(table.Operator)
	return paths[table.Operator], version, err
}

// extract returns the paths of a component's programs, and the key of their content.
func (b *Bundle) extract(component string) (paths map[string]string, key string, err error) {
	var programs []Program
	for _, program := range b.Record.Programs {
		if program.Component == component {
			programs = append(programs, program)
		}
	}
	if len(programs) == 0 {
		return nil, "", fmt.Errorf("reading the bundle: no programs of the %s; create the bundle with --cluster=embedded or --cluster=auto", component)
	}
	var content []byte
	var binaries []string
	for _, program := range programs {
		if program.Binary == "" || filepath.Base(program.Binary) != program.Binary || program.Binary == "." || program.Binary == ".." {
			return nil, "", fmt.Errorf("reading the bundle: %q is not the name of a program", program.Binary)
		}
		content = fmt.Appendf(content, "%s %s\n", program.Binary, program.SHA256)
		binaries = append(binaries, program.Binary)
	}
	key = cache.Key(content)
	dir := filepath.Join(b.cache, cache.Programs, artifact.BundledFolder(component, key, programs[0].Published))
	if _, err := cache.Ensure(dir, binaries, func(temporary string) error { return b.write(temporary, programs) }); err != nil {
		return nil, "", fmt.Errorf("extracting the %s from the bundle: %w", component, err)
	}
	paths = map[string]string{}
	for _, program := range programs {
		paths[program.Name] = filepath.Join(dir, program.Binary)
	}
	return paths, key, nil
}

// write writes each file once, and a link for each other program that it is.
func (b *Bundle) write(dir string, programs []Program) error {
	written := map[string]string{}
	for _, program := range programs {
		path := filepath.Join(dir, program.Binary)
		if first := written[program.SHA256]; first != "" {
			if err := os.Symlink(first, path); err != nil {
				return err
			}
			continue
		}
		at, found := b.files[programFolder+program.SHA256]
		if !found {
			return fmt.Errorf("no program %s", program.SHA256)
		}
		if err := cache.WriteProgram(path, io.NewSectionReader(b.file, at.offset, at.size), os.O_EXCL); err != nil {
			return err
		}
		written[program.SHA256] = program.Binary
	}
	return nil
}

// describePrograms returns the programs of a bundle, in the order of the table, and a file for each
// different content, by its SHA-256.
func (c Contents) describePrograms() (programs []Program, files map[string]string, err error) {
	files = map[string]string{}
	for _, row := range table.All() {
		for _, name := range slices.Sorted(maps.Keys(c.Programs[row.Name])) {
			path := c.Programs[row.Name][name]
			sum, err := hashFile(path)
			if err != nil {
				return nil, nil, fmt.Errorf("reading the program %s: %w", name, err)
			}
			files[sum] = path
			programs = append(programs, Program{
				Component: row.Name, Name: name, Binary: filepath.Base(path), SHA256: sum, Published: artifact.IsPublished(path),
			})
		}
	}
	return programs, files, nil
}

func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash, _, err := v1.SHA256(file)
	return hash.Hex, err
}

func (w *writer) programs(ctx context.Context, files map[string]string) error {
	for _, sum := range slices.Sorted(maps.Keys(files)) {
		if err := w.program(ctx, sum, files[sum]); err != nil {
			return fmt.Errorf("writing the program %s: %w", files[sum], err)
		}
	}
	return nil
}

func (w *writer) program(ctx context.Context, sum, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return w.file(programFolder+sum, info.Size(), ending{ctx, file})
}
