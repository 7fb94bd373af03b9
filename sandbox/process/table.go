package process

import (
	"context"
	"fmt"
	"slices"
)

// Table is the processes of one sandbox. All its paths are absolute.
type Table struct {
	// Records is the folder of their records, Logs that of their logs. Ensure makes both, for this user alone.
	Records, Logs string
	// Mark is the sandbox's state folder: what an argument of each of our processes names. Only Strays needs it.
	Mark string
	// Programs is the folder below which the programs are. Only Strays needs it.
	Programs string
}

// Ensure makes a process run as spec says, and tells whether it had to be started. One that runs with the same path, arguments,
// environment (in the same order) and revision is left alone; one that runs with others is stopped first, for which ctx sets the
// time, and so is one with the same arguments that no record knows. That it was started does not mean that it still runs: see
// [Table.Await]. The caller holds the sandbox's lock.
func (t Table) Ensure(ctx context.Context, spec Spec) (p *Process, started bool, err error) {
	if err := spec.check(); err != nil {
		return nil, false, err
	}
	p, err = t.Find(spec.Name)
	if err != nil {
		return nil, false, err
	}
	if p != nil && p.Spec.same(spec) {
		return p, false, t.adopt(p, spec)
	}
	if p == nil {
		// A record that was lost must not make a second process of the same.
		if p, err = search(record{Spec: spec}); err != nil {
			return nil, false, err
		}
	}
	if p != nil {
		if err := p.Stop(ctx); err != nil {
			return nil, false, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, false, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	p, err = t.start(spec, t.save)
	return p, err == nil, err
}

// adopt brings the record of a process that is left alone up to date.
func (t Table) adopt(p *Process, spec Spec) error {
	if !p.searched && p.Spec.Grace == spec.Grace {
		return nil
	}
	p.Spec, p.searched = spec, false
	return t.save(record{Spec: spec, PID: p.PID, Identity: p.identity, Started: p.Started, LogStart: p.logStart})
}

// Find returns the process called name, or nil without an error if it does not run or has no record that can be understood. It
// changes nothing.
func (t Table) Find(name string) (*Process, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	r, err := t.load(name)
	if r == nil || err != nil {
		return nil, err
	}
	if r.PID == 0 {
		return search(*r)
	}
	s, err := look(r.PID)
	if err != nil {
		return nil, fmt.Errorf("looking for %s, process %d: %w", name, r.PID, err)
	}
	if s != nil && s.live() && s.identity == r.Identity && slices.Equal(s.argv, r.Spec.argv()) {
		return r.process(s), nil
	}
	return search(*r)
}

// search finds the process that has exactly the record's arguments, the oldest if there are several, or nil.
func search(r record) (*Process, error) {
	argv := r.Spec.argv()
	var found *seen
	err := each(func(s *seen) {
		if slices.Equal(s.argv, argv) && (found == nil || s.identity.Start < found.identity.Start) {
			found = s
		}
	})
	if err != nil {
		return nil, fmt.Errorf("looking for %s: %w", r.Spec.Name, err)
	}
	if found == nil {
		return nil, nil
	}
	p := r.process(found)
	p.searched = true
	return p, nil
}

// process is the one that r is about, as which s was recognised.
func (r record) process(s *seen) *Process {
	return &Process{
		Name: r.Spec.Name, PID: s.pid, Started: r.Started, Spec: r.Spec, Stopped: s.stopped,
		identity: s.identity, logStart: r.LogStart,
	}
}

// Stop ends the process called name as [Process.Stop] does, and removes its record. It is no error if it does not run or has no
// record. After an error the record is still there. The caller holds the sandbox's lock.
func (t Table) Stop(ctx context.Context, name string) error {
	p, err := t.Find(name)
	if err != nil {
		return err
	}
	if p != nil {
		if err := p.Stop(ctx); err != nil {
			return err
		}
	}
	return t.forget(name)
}
