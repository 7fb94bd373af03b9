package project

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/input"
)

// Project is a valid sandbox.yaml with access to the files that it names. It is immutable and safe
// for concurrent use.
type Project struct {
	// File is the content.
	File File
	// Path is the absolute path of the file; empty for the built-in file.
	Path string
	// Dir is the folder of Path; empty for the built-in file, whose folder is config in this
	// repository.
	Dir string

	places places // the positions of the fields in the file
	disk   filesys.FileSystem
	root   string // the folder on disk to which paths in the file are relative
}

// defaultName is the path of the built-in file in package config, and builtIn its name in messages.
const (
	defaultName = "sandbox.yaml"
	builtIn     = "the built-in " + defaultName
)

// Load reads and validates a sandbox.yaml, including the existence of the files that it names. It
// returns an [Error] with the position of each mistake.
func Load(path string) (*Project, error) { return load(path, false) }

// LoadTrusted is [Load] for a project whose manifests can be anywhere, also remote; see [input.Disk].
func LoadTrusted(path string) (*Project, error) { return load(path, true) }

func load(path string, trusted bool) (*Project, error) {
	data, err := input.ReadFile(path, input.MaxConfig)
	if err != nil {
		if cause, ok := errors.AsType[*os.PathError](err); ok {
			err = cause.Err // The error below already contains the path.
		}
		problem := err.Error()
		if errors.Is(err, fs.ErrNotExist) {
			problem += "; " + hint.Run("init") + " creates it"
		}
		return nil, &Error{Path: path, Problem: problem}
	}
	return parse(path, data, trusted)
}

// Parse is like Load with the given content. The file need not exist.
func Parse(path string, data []byte) (*Project, error) { return parse(path, data, false) }

func parse(path string, data []byte, trusted bool) (*Project, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	dir := filepath.Dir(absolute)
	disk, err := input.NewDisk(dir, trusted)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return newProject(path, data, &Project{Path: absolute, Dir: dir, disk: disk, root: dir})
}

// Default returns the Project of the reference operator, whose manifests are built into the
// program.
func Default() (*Project, error) {
	const root = "/config"
	disk, err := config.FileSystem(root)
	if err != nil {
		return nil, err
	}
	data, err := config.Files.ReadFile(defaultName)
	if err != nil {
		return nil, fmt.Errorf("reading the built-in sandbox.yaml: %w", err)
	}
	return newProject(builtIn, data, &Project{disk: disk, root: root})
}

func newProject(name string, data []byte, p *Project) (*Project, error) {
	file, d, err := decode(name, data)
	if err != nil {
		return nil, err
	}
	d.judge(file, p)
	if err := d.all(); err != nil {
		return nil, err
	}
	p.File, p.places = *file, d.places
	return p, nil
}

func (p *Project) path(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(p.root, name)
}

// Module returns the folder of the operator's module. For the built-in file, the folder is below
// repository, the root of this repository; other files ignore repository. The operator must have a
// Build.
func (p *Project) Module(repository string) string {
	module := p.File.Operator.Build.Module
	if p.Dir != "" {
		return p.path(module)
	}
	return filepath.Join(repository, "config", module)
}

// Name returns a name of the project for messages.
func (p *Project) Name() string {
	return cmp.Or(p.Path, "the reference operator")
}

// Built reports whether the sandbox builds the operator. If not, it runs an existing image.
func (m *Manifests) Built() bool { return m.project.File.Operator.Build != nil }

// OtherImages returns the images of the operator's Pods except the manager's, and the images listed
// in sandbox.yaml.
func (m *Manifests) OtherImages() []string {
	names := slices.Clone(m.project.File.Operator.Images)
	spec := m.Deployment.Spec.Template.Spec
	for i, c := range slices.Concat(spec.Containers, spec.InitContainers) {
		if i != m.Container {
			names = append(names, c.Image)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
