package process

import (
	"context"
	"errors"
	"io"
)

type identity struct{}

// Table is the processes of one sandbox.
type Table struct {
	// Records is the folder of their records, Logs that of their logs. Both are made where they are missing.
	Records, Logs string
	// Mark is the sandbox's state folder: what an argument of each of our processes names.
	Mark string
	// Programs is the folder below which the programs are.
	Programs string
}

// Ensure makes a process run as spec says.
func (t Table) Ensure(ctx context.Context, spec Spec) (p *Process, started bool, err error) {
	return nil, false, errors.ErrUnsupported
}

// Find returns the process called name, or nil if it does not run.
func (t Table) Find(name string) (*Process, error) { return nil, errors.ErrUnsupported }

// Stop ends the process called name.
func (t Table) Stop(ctx context.Context, name string) error { return errors.ErrUnsupported }

// Stop ends the process.
func (p *Process) Stop(ctx context.Context) error { return errors.ErrUnsupported }

// Names lists the names that have a record.
func (t Table) Names() ([]string, error) { return nil, errors.ErrUnsupported }

// Strays finds processes of the sandbox that no record knows.
func (t Table) Strays(ctx context.Context) ([]*Process, error) { return nil, errors.ErrUnsupported }

// Tail returns the last lines of a log.
func (t Table) Tail(name string, lines int) string { return "" }

// Follow copies the log of a component to out.
func (t Table) Follow(ctx context.Context, out io.Writer, name string, lines int, follow bool) error {
	return errors.ErrUnsupported
}

// Await waits until ready returns nil.
func (t Table) Await(ctx context.Context, name string, ready func(context.Context) error) error {
	return errors.ErrUnsupported
}
