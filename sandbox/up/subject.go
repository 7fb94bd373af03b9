package up

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Subject is what the sandbox runs.
func (r *Run) Subject() (project.Subject, error) {
	if r.runs == nil {
		subject, err := project.LoadSubject(r.Dir.Subject())
		if err != nil {
			return subject, err
		}
		r.runs = &subject
	}
	return *r.runs, nil
}

// openProject reads the sandbox.yaml that was asked for, or that of the operator that runs, or the built-in one. A sandbox that
// is up keeps its operator: another's objects would stay beside it.
func (r *Run) openProject() (*project.Project, error) {
	running := r.Record.Name != ""
	lost := running && r.Record.File != "" && missing(r.Record.File)
	file := r.File
	switch {
	case file == "" && lost:
		return nil, fmt.Errorf("the sandbox %s runs the operator of %s, which is gone: name where it is now by -f, or take the sandbox down (`sandbox down`)", r.Name, r.Record.File)
	case file == "" && running:
		file = r.Record.File
	}
	if file == "" {
		return project.Default()
	}
	p, err := project.Load(file)
	if err != nil {
		return nil, err
	}
	if running && !lost && p.Path != r.Record.File {
		name := r.Record.File
		if name == "" {
			name = "this repository"
		}
		return nil, fmt.Errorf("the sandbox %s runs the operator of %s: take it down first (`sandbox down`), or choose another --name", r.Name, name)
	}
	return p, nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// useProject decides what the sandbox runs, and renders it, once.
func (r *Run) useProject() (err error) {
	if r.manifests != nil {
		return nil
	}
	if r.project, err = r.openProject(); err != nil {
		return err
	}
	if r.manifests, err = r.project.Render(); err != nil {
		return err
	}
	subject := r.manifests.Subject()
	r.runs, r.Record.File = &subject, subject.File
	return nil
}

// saveSubject writes down what the sandbox is about to run, for the commands that look at it.
func (r *Run) saveSubject() error {
	return state.Remedy(project.SaveSubject(r.Dir.Subject(), *r.runs))
}

// program is how the operator's program is built.
func (r *Run) program() build.Program { return r.programOf(r.project) }

// programOf is the zero Program where the operator is an image of somebody else's.
func (r *Run) programOf(p *project.Project) build.Program {
	b := p.File.Operator.Build
	if b == nil {
		return build.Program{}
	}
	return build.Program{Module: p.Module(r.builder.Root), Main: b.Main, Flags: b.Flags, Sources: b.Sources}
}
