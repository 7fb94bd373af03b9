package project

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/operator-tracing/sandbox/config"
)

// Project is a sandbox.yaml that was checked, and the way to the files that it names. It does not change, and may be used by
// several goroutines at once.
type Project struct {
	// File is what it says.
	File File
	// Path is where it was read, absolute; empty for the built-in one.
	Path string
	// Dir is the folder of Path; empty for the built-in one, whose folder is config in this repository.
	Dir string

	places places // where in the file its fields are
	disk   filesys.FileSystem
	root   string // what paths in the file are relative to, on disk
}

// defaultName stands for the path of the built-in file in errors, and is where it is in package config.
const defaultName = "sandbox.yaml"

// Load reads a sandbox.yaml and checks it, up to the existence of what it names. An [Error] names the place of a mistake.
func Load(path string) (*Project, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if info, err := os.Stat(absolute); err == nil && info.IsDir() {
		return nil, &Error{Path: path, Problem: "it is a folder; name the file in it"}
	}
	data, err := os.ReadFile(absolute)
	if err != nil {
		var cause *os.PathError
		if errors.As(err, &cause) {
			err = cause.Err // It names the path, which the error below does.
		}
		return nil, &Error{Path: path, Problem: err.Error() + "; `sandbox init` writes one for a kubebuilder project"}
	}
	return parse(path, absolute, data)
}

// Parse is Load for a file that is not written yet.
func Parse(path string, data []byte) (*Project, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return parse(path, absolute, data)
}

func parse(name, absolute string, data []byte) (*Project, error) {
	dir := filepath.Dir(absolute)
	return newProject(name, data, &Project{Path: absolute, Dir: dir, disk: filesys.MakeFsOnDisk(), root: dir})
}

// Default is the reference operator's, whose manifests are built into the program.
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
	return newProject("the built-in "+defaultName, data, &Project{disk: disk, root: root})
}

func newProject(name string, data []byte, p *Project) (*Project, error) {
	file, d, err := decode(name, data)
	if err != nil {
		return nil, err
	}
	d.judge(file, p)
	if err := d.first(); err != nil {
		return nil, err
	}
	p.File, p.places = *file, d.places
	return p, nil
}

// path is where something that the file names is.
func (p *Project) path(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(p.root, name)
}

// Module is the folder of the module that the operator is built from. Of the built-in file it is below repository, the root
// of this repository, which others don't need. The operator must have a Build.
func (p *Project) Module(repository string) string {
	module := p.File.Operator.Build.Module
	if p.Dir != "" {
		return p.path(module)
	}
	return filepath.Join(repository, "config", module)
}

// Name is what the file is called for people.
func (p *Project) Name() string {
	if p.Path == "" {
		return "the reference operator"
	}
	return p.Path
}

// Built tells whether the sandbox builds the operator, as opposed to running an image of somebody else's.
func (m *Manifests) Built() bool { return m.project.File.Operator.Build != nil }

// OtherImages are those that the operator's Pods name beside the manager's, and what sandbox.yaml lists.
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
