package lifecycle

import (
	"context"
	"errors"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/bundle"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/doctor"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/provider/kind"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Doctor examines this machine: it starts a container in each engine that is installed, until one
// works, and asks the registries. It needs no sandbox and no usable state folder. The error is a
// *settings.Error or the error of ctx.
func Doctor(ctx context.Context, options session.Options, report report) (doctor.Report, error) {
	if options.Cluster == component.Existing { // Doctor reports what could run here.
		options.Cluster = "auto"
	}
	s, err := Open(options)
	if _, mistake := errors.AsType[*settings.Error](err); mistake {
		return doctor.Report{}, err
	}
	unusable := err
	if unusable != nil {
		completed, err := options.Complete()
		if err != nil {
			return doctor.Report{}, err
		}
		s = New(&session.Session{Options: completed, Dir: state.Dir{Path: completed.StateDir}}, Providers())
	}
	var hosts []string
	if !s.UseBundle() {
		mirror, err := s.Mirror()
		if err != nil {
			return doctor.Report{}, err
		}
		if hosts, err = artifact.RegistryHosts(mirror); err != nil {
			return doctor.Report{}, err
		}
	}
	subject := s.subject()
	subject.StateErr = unusable
	slow := doctor.Slow{Registries: hosts, Answers: func(ctx context.Context, host string) error {
		return artifact.Ping(ctx, nil, host)
	}}
	slow.Engine = func(ctx context.Context) (*engine.Engine, error) {
		if s.Bundled() { // It has the probe.
			if err := s.OpenBundle(ctx, report); err != nil {
				return nil, err
			}
		}
		if err := s.UseBuilder(); err != nil {
			return nil, err
		}
		return kind.FindEngine(ctx, s.Session)
	}
	found := doctor.Examine(doctor.Gather(ctx, subject, slow))
	return found, ctx.Err()
}

// CheckMachine is the quick part of Doctor: it starts no container and asks no registry. The error is
// a *doctor.RefusedError if up would fail. Warnings go to Note.
func (s *Sandbox) CheckMachine(ctx context.Context, report report) error {
	if s.Cluster == component.Existing || s.Record.Cluster == component.Existing {
		report("the cluster is there already")
		return nil
	}
	subject := s.subject()
	facts := doctor.Gather(ctx, subject, doctor.Slow{})
	found := doctor.Examine(facts)
	for _, w := range found.Warnings(subject.Wanted) {
		s.Notef(" ! %s: %s; %s", w.Check, w.Summary, w.Remedy)
	}
	if err := found.Refusal(subject.Wanted); err != nil {
		return err
	}
	report("%d processors, %.1f GiB of memory", facts.System.Processors, float64(facts.Memory.Total)/(1<<30))
	return nil
}

// wantBundle describes what a bundle supports, as far as it can be read.
func (s *Sandbox) wantBundle(wanted *doctor.Wanted) {
	wanted.Images = doctor.FromBundle
	record, err := bundle.ReadRecord(s.BundlePath())
	wanted.BundledPrograms = err == nil && record.Supports(component.Embedded)
	switch {
	case !wanted.BundledPrograms:
		wanted.Cluster = component.Kind
	case !record.Supports(component.Kind):
		wanted.Cluster = component.Embedded
	}
}

func (s *Sandbox) subject() doctor.Subject {
	subject := doctor.Subject{
		Wanted: doctor.Wanted{Cluster: s.Cluster, Provider: s.Provider, Images: s.Images, Fresh: s.Record.Name == ""},
		Ports:  s.Ports, Own: s.Record.Ports, StateDir: s.Dir.Path,
	}
	wanted := &subject.Wanted
	if s.Record.Cluster == component.Existing {
		wanted.Fresh = true // Nothing of it is on this machine.
	}
	if !wanted.Fresh { // A sandbox keeps what it was created from.
		wanted.Cluster = s.Record.Cluster
		if wanted.Cluster == component.Kind && s.Images == "auto" && s.Record.Images != "" {
			wanted.Images = s.Record.Images
		}
	}
	subject.Cache, _ = state.CachePath() // Without it, its disk is not examined.
	if s.Bundled() {                     // No registry is asked, and nothing is built.
		s.wantBundle(wanted)
		return subject
	}
	subject.SourcesErr = s.UseBuilder()
	subject.Builder = s.Builder
	if p, err := s.OpenProject(); err == nil && subject.SourcesErr == nil {
		subject.Operator = s.ProgramOf(p)
	}
	return subject
}
