package session

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
func (s *Session) Subject() (project.Subject, error) {
	if s.subject == nil {
		subject, err := project.LoadSubject(s.Dir.Subject())
		if err != nil {
			return subject, err
		}
		s.subject = &subject
	}
	return *s.subject, nil
}

// OpenProject reads the sandbox.yaml that was asked for, or that of the operator that runs, or the built-in one. A sandbox that
// is up keeps its operator: another's objects would stay beside it.
func (s *Session) OpenProject() (*project.Project, error) {
	running := s.Record.Name != ""
	lost := running && s.Record.File != "" && missing(s.Record.File)
	file := s.File
	switch {
	case file == "" && lost:
		return nil, fmt.Errorf("the sandbox %s runs the operator of %s, which is gone: name where it is now by -f, or take the sandbox down (`sandbox down`)", s.Name, s.Record.File)
	case file == "" && running:
		file = s.Record.File
	}
	if file == "" {
		return project.Default()
	}
	p, err := project.Load(file)
	if err != nil {
		return nil, err
	}
	if running && !lost && p.Path != s.Record.File {
		name := s.Record.File
		if name == "" {
			name = "this repository"
		}
		return nil, fmt.Errorf("the sandbox %s runs the operator of %s: take it down first (`sandbox down`), or choose another --name", s.Name, name)
	}
	return p, nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// UseProject decides what the sandbox runs, and renders it, once.
func (s *Session) UseProject() (err error) {
	if s.Manifests != nil {
		return nil
	}
	if s.Project, err = s.OpenProject(); err != nil {
		return err
	}
	if s.Manifests, err = s.Project.Render(); err != nil {
		return err
	}
	subject := s.Manifests.Subject()
	s.subject, s.Record.File = &subject, subject.File
	return nil
}

// SaveSubject writes down what the sandbox is about to run, for the commands that look at it.
func (s *Session) SaveSubject() error {
	return state.Remedy(project.SaveSubject(s.Dir.Subject(), *s.subject))
}

// Program is how the operator's program is built.
func (s *Session) Program() build.Program { return s.ProgramOf(s.Project) }

// ProgramOf is the zero Program where the operator is an image of somebody else's.
func (s *Session) ProgramOf(p *project.Project) build.Program {
	b := p.File.Operator.Build
	if b == nil {
		return build.Program{}
	}
	return build.Program{Module: p.Module(s.Builder.Root), Main: b.Main, Flags: b.Flags, Sources: b.Sources}
}
