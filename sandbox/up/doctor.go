package up

import (
	"context"
	"errors"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/doctor"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Doctor examines this machine whole: it starts a container in each engine that is installed, until one works, and asks the
// registries. It needs no sandbox, nor a state folder that can be used. The error is an ErrOption, or ctx's.
func Doctor(ctx context.Context, options Options, report report) (doctor.Report, error) {
	if options.Cluster == component.Existing { // It runs elsewhere; the doctor says what could run here.
		options.Cluster = "auto"
	}
	r, err := Open(options)
	if errors.Is(err, ErrOption) {
		return doctor.Report{}, err
	}
	unusable := err
	if unusable != nil {
		completed, err := options.complete()
		if err != nil {
			return doctor.Report{}, err
		}
		r = &Run{Options: completed, Dir: state.Dir{Path: completed.StateDir}}
	}
	var hosts []string
	if !r.UseBundle() {
		if hosts, err = r.registryHosts(); err != nil {
			return doctor.Report{}, err
		}
	}
	subject := r.subject()
	subject.StateErr = unusable
	slow := doctor.Slow{Registries: hosts, Answers: doctor.Reachable(nil)}
	slow.Engine = func(ctx context.Context) (*engine.Engine, error) {
		if r.bundlePath != "" { // It has the probe.
			if err := r.OpenBundle(ctx, report); err != nil {
				return nil, err
			}
		}
		if err := r.FindEngine(ctx, report); err != nil {
			return nil, err
		}
		return r.engine, nil
	}
	found := doctor.Examine(doctor.Gather(ctx, subject, slow))
	return found, ctx.Err()
}

// registryHosts are those that up would pull from.
func (r *Run) registryHosts() ([]string, error) {
	mirror, err := r.mirror()
	if err != nil {
		return nil, err
	}
	return artifact.RegistryHosts(mirror)
}

// CheckMachine is the quick part of Doctor: it starts nothing and asks nobody. The error is a *doctor.RefusedError where up
// would surely fail; what may make trouble is only said.
func (r *Run) CheckMachine(ctx context.Context, report report) error {
	if r.Cluster == component.Existing || r.Record.Cluster == component.Existing {
		report("the cluster is there already")
		return nil
	}
	subject := r.subject()
	facts := doctor.Gather(ctx, subject, doctor.Slow{})
	found := doctor.Examine(facts)
	for _, w := range found.Warnings(subject.Wanted) {
		if r.Note != nil {
			r.Note(" ! %s: %s; %s", w.Check, w.Summary, w.Remedy)
		}
	}
	if err := found.Refusal(subject.Wanted); err != nil {
		return err
	}
	report("%d processors, %.1f GiB of memory", facts.System.Processors, float64(facts.Memory.Total)/(1<<30))
	return nil
}

// subject is what the doctor has to know about this run.
func (r *Run) subject() doctor.Subject {
	s := doctor.Subject{
		Wanted: doctor.Wanted{Cluster: r.Cluster, Provider: r.Provider, Images: r.Images, Fresh: r.Record.Name == ""},
		Ports:  r.Ports, Own: r.Record.Ports, StateDir: r.Dir.Path,
	}
	if r.Record.Cluster == component.Existing {
		s.Wanted.Fresh = true // Nothing of it is here.
	}
	if !s.Wanted.Fresh { // What it was made of is what it goes on with.
		s.Wanted.Cluster = r.Record.Cluster
		if s.Wanted.Cluster == component.Kind && r.Images == "auto" && r.Record.Images != "" {
			s.Wanted.Images = r.Record.Images
		}
	}
	if r.bundlePath != "" { // Nobody has to be asked, and nothing is left to build.
		s.Wanted.Cluster, s.Wanted.Images = component.Kind, doctor.FromBundle
		s.Cache, _ = state.CachePath() // Without it nobody looks at its disk.
		return s
	}
	s.SourcesErr = r.useBuilder()
	s.Builder = r.builder
	if p, err := r.openProject(); err == nil && s.SourcesErr == nil {
		s.Operator = r.programOf(p)
	}
	if cache, err := state.CachePath(); err == nil {
		s.Cache = cache
	}
	return s
}
