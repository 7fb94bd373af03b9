package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Table holds the processes of one sandbox. All its paths are absolute.
type Table struct {
	// Records and Logs are the folders of records and logs. Ensure creates both with access only
	// for this user.
	Records, Logs string
	// Mark is the state folder of the sandbox. Each of its processes names it in an argument. Only
	// Strays needs it.
	Mark string
	// Programs is the folder that contains the programs. Only Strays needs it.
	Programs string
}

// Ensure runs a process as spec describes, and reports whether it started one. A process with the
// same path, arguments, environment (in the same order) and revision keeps running, unless a signal
// suspended it. Otherwise Ensure first stops the process of that name, and any process with the same
// arguments but without a record; ctx limits the wait. A started process may have ended since: see
// [Table.Await]. The caller must hold the lock of the sandbox.
func (t Table) Ensure(ctx context.Context, spec Spec) (p *Process, started bool, err error) {
	if err := spec.check(); err != nil {
		return nil, false, err
	}
	p, err = t.Find(spec.Name)
	if err != nil {
		return nil, false, err
	}
	if p != nil && p.Spec.same(spec) && !p.Stopped {
		return p, false, t.adopt(p, spec)
	}
	if p == nil {
		// If the record was lost, the process must not run twice.
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

func (t Table) adopt(p *Process, spec Spec) error {
	if !p.searched && p.Spec.Grace == spec.Grace {
		return nil
	}
	p.Spec, p.searched = spec, false
	return t.save(record{Spec: spec, PID: p.PID, Identity: p.identity, Started: p.Started, LogStart: p.logStart})
}

// Find returns the process called name. It returns nil without an error if the process does not run
// or has no valid record. It changes nothing.
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
		return nil, fmt.Errorf("finding %s, process %d: %w", name, r.PID, err)
	}
	if s != nil && s.live() && s.identity == r.Identity && slices.Equal(s.argv, r.Spec.argv()) {
		return r.process(s), nil
	}
	return search(*r)
}

// search returns the process with exactly the arguments of the record, or nil. If there are
// several, it returns the oldest.
func search(r record) (*Process, error) {
	argv := r.Spec.argv()
	var found *seen
	err := each(func(s *seen) {
		if slices.Equal(s.argv, argv) && (found == nil || s.identity.Start < found.identity.Start) {
			found = s
		}
	})
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", r.Spec.Name, err)
	}
	if found == nil {
		return nil, nil
	}
	p := r.process(found)
	p.searched = true
	return p, nil
}

func (r record) process(s *seen) *Process {
	return &Process{
		Name: r.Spec.Name, PID: s.pid, Started: r.Started, Spec: r.Spec, Stopped: s.stopped,
		identity: s.identity, logStart: r.LogStart,
	}
}

// Stop stops the process called name like [Process.Stop], and deletes its record. It returns nil if
// the process does not run or has no record. After an error it keeps the record. The caller must
// hold the lock of the sandbox.
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

// Restart stops the process called name, if it runs, and starts it as its record describes. The error
// wraps fs.ErrNotExist if there is no record. The caller must hold the lock of the sandbox.
func (t Table) Restart(ctx context.Context, name string) error {
	r, err := t.load(name)
	if err == nil && r == nil {
		err = fmt.Errorf("restarting %s: no record: %w", name, fs.ErrNotExist)
	}
	if err == nil {
		err = t.Stop(ctx, name)
	}
	if err == nil {
		_, err = t.start(r.Spec, t.save)
	}
	return err
}

type record struct {
	Spec Spec `json:"spec"`
	// PID is 0 from before the start until the process runs.
	PID      int       `json:"pid"`
	Identity identity  `json:"identity,omitzero"`
	Started  time.Time `json:"started,omitzero"`
	// LogStart is the size of the log at the start of the process, in bytes.
	LogStart int64 `json:"logStart"`
}

const recordSuffix = ".json"

func (t Table) recordPath(name string) string { return filepath.Join(t.Records, name+recordSuffix) }

// load reads a record. It returns nil without an error if the file does not exist or was not
// written by save.
func (t Table) load(name string) (*record, error) {
	data, err := input.ReadOwn(t.recordPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the record of %s: %w", name, err)
	}
	var r record
	if json.Unmarshal(data, &r) != nil || r.Spec.Name != name || r.Spec.check() != nil || r.PID < 0 {
		return nil, nil
	}
	return &r, nil
}

// save writes a record atomically: a reader sees either the old or the new record.
func (t Table) save(r record) error {
	if err := state.Write(t.recordPath(r.Spec.Name), r); err != nil {
		return fmt.Errorf("writing the record of %s: %w", r.Spec.Name, err)
	}
	return nil
}

func (t Table) forget(name string) error {
	if err := os.Remove(t.recordPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("deleting the record of %s: %w", name, err)
	}
	return nil
}

// Names returns the names of all records, sorted, whether their processes run or not. It includes
// invalid records, which [Table.Stop] deletes. It returns nil if the folder does not exist.
func (t Table) Names() ([]string, error) {
	entries, err := os.ReadDir(t.Records)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing process records: %w", err)
	}
	var found []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), recordSuffix); ok && checkName(name) == nil {
			found = append(found, name)
		}
	}
	return found, nil
}
