package session

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Subject describes the operator and the sample of the sandbox. It has no Annotation if the operator's
// variables turn OpenTelemetry off: nothing can wait for the annotation then.
func (s *Session) Subject() (project.Subject, error) {
	if s.subject == nil {
		subject, err := project.LoadSubject(s.Dir.Subject())
		if err != nil {
			return subject, err
		}
		s.subject = &subject
	}
	subject := *s.subject
	if off, _ := strconv.ParseBool(Variables(slices.Concat(s.Record.OperatorEnv, s.OperatorEnv))["OTEL_SDK_DISABLED"]); off {
		subject.Annotation = ""
	}
	return subject, nil
}

// OpenProject reads the sandbox.yaml in the options, or the file of the operator that runs, or the
// built-in file. A sandbox that is up keeps its operator: the objects of the old one would stay.
func (s *Session) OpenProject() (*project.Project, error) {
	running := s.Record.Name != ""
	lost := running && s.Record.File != "" && missing(s.Record.File)
	file := s.File
	switch {
	case file == "" && lost:
		return nil, fmt.Errorf("the sandbox %s runs the operator of %s, which is gone: name where it is now by -f, or take the sandbox down (%s)", s.Name, s.Record.File, hint.Run("down"))
	case file == "" && running:
		file = s.Record.File
	}
	if file == "" {
		return project.Default()
	}
	p, err := s.loadProject(file)
	if err != nil {
		return nil, err
	}
	if running && !lost && p.Path != s.Record.File {
		name := cmp.Or(s.Record.File, "this repository")
		return nil, fmt.Errorf("the sandbox %s runs the operator of %s: take it down first (%s), or choose another --name", s.Name, name, hint.Run("down"))
	}
	return p, nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// UseProject opens the project and renders its manifests, once.
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
	for _, obj := range s.Manifests.Skipped {
		s.Notef("   skipped %s %s (%s)", obj.GetKind(), obj.GetName(), obj.GetAPIVersion())
	}
	subject := s.Manifests.Subject()
	s.subject, s.Record.File = &subject, subject.File
	return nil
}

// SaveSubject saves the subject for commands that only read.
func (s *Session) SaveSubject() error {
	return state.Remedy(project.SaveSubject(s.Dir.Subject(), *s.subject))
}

// Program describes the build of the operator.
func (s *Session) Program() build.Program { return s.ProgramOf(s.Project) }

// ProgramOf describes the build of a project's operator; the zero Program if it is not built.
func (s *Session) ProgramOf(p *project.Project) build.Program {
	if p.File.Operator.Build == nil {
		return build.Program{}
	}
	program := *p.File.Operator.Build
	program.Module = p.Module(s.Builder.Root)
	return program
}
