package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/cause"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

const (
	// patience is the time limit for an answer of a process that is already running. Then it is
	// restarted, because it hangs or is suspended.
	patience = 15 * time.Second
	// reconnectPatience is this limit for the API server after a restart of etcd. The etcd client of the
	// API server backs off while etcd does not run, and connects later.
	reconnectPatience = time.Minute
	// moves is the maximum number of port changes for one process.
	moves = 3
)

type service struct {
	name string
	// spec is called for each start, because ports may have changed.
	spec func() (process.Spec, error)
	// ready checks the process once. If it is nil, the process only has to run.
	ready func(context.Context) error
	// patience is the time limit for an answer if the process is already running (default:
	// [patience]).
	patience time.Duration
}

// start makes a process run as specified and waits until it is ready. It restarts a process that
// hangs. If another program took the port of the process before it listened, start chooses another
// port.
func (c *Cluster) start(ctx context.Context, svc service, report Report) (started bool, err error) {
	c.guard.Mark(svc.name, false) // It may restart.
	defer func() { c.guard.Mark(svc.name, err == nil) }()
	for move := 0; ; move++ {
		started, err = c.startOnce(ctx, svc)
		died, exited := errors.AsType[*process.DiedError](err)
		switch {
		case err == nil || !exited:
			return started, err
		case !portTaken(died.Tail) || move == moves:
			return started, c.explain(died)
		}
		report.Say("%s: its port is taken, choosing another", svc.name)
		if err := c.move(ctx, svc.name); err != nil {
			return started, err
		}
	}
}

func (c *Cluster) startOnce(ctx context.Context, svc service) (started bool, err error) {
	spec, err := svc.spec()
	if err != nil {
		return false, err
	}
	spec.Name, spec.Grace = svc.name, grace
	if svc.ready == nil {
		// Without a readiness check, a running process counts as ready.
		svc.ready = func(context.Context) error { return nil }
	}
	if started, err = c.table.Run(ctx, spec, cmp.Or(svc.patience, patience), svc.ready); err != nil {
		return started, fmt.Errorf("starting %s: %w", svc.name, state.Remedy(err))
	}
	return started, nil
}

// portTaken reports whether a process exited because another process listens on its port. Every
// program prints the system's message (strerror of EADDRINUSE).
func portTaken(log string) bool { return strings.Contains(log, "address already in use") }

// move replaces the ports of a process that are taken.
func (c *Cluster) move(ctx context.Context, name string) error {
	if name == component.Jaeger {
		if err := c.moveJaeger(ctx); err != nil {
			return err
		}
	}
	_, program, _ := component.ProgramNamed(name)
	own, jaeger := c.ports()
	chosen := component.Ports{}
	for _, p := range program.Listens {
		if p.Name == component.OperatorHook && c.OperatorPort != 0 {
			continue
		}
		// A port may be taken on another address than loopback.
		if _, err := port.Free(ctx, own[p.Name]); err == nil && !p.Everywhere {
			continue
		}
		free, err := port.Unused(ctx, own, jaeger)
		if err != nil {
			return err
		}
		own, chosen[p.Name] = own.With(p.Name, free), free
	}
	// Other processes may move at the same time. Only the ports of this process change.
	err := c.update(func(r *state.Record) {
		for name, number := range chosen {
			r.ComponentPorts = r.ComponentPorts.With(name, number)
		}
	})
	if err != nil || name != component.APIServer {
		return err
	}
	return c.writeAdmin()
}

// moveJaeger replaces Jaeger's ports for users that are taken. It returns an error if the user
// requested such a port.
func (c *Cluster) moveJaeger(ctx context.Context) error {
	own, jaeger := c.ports()
	for name, number := range jaeger {
		_, err := port.Free(ctx, number)
		if err == nil || name == component.UI { // The gate of Jaeger has it.
			continue
		}
		if c.wanted[name] != 0 {
			return err
		}
		free, err := port.Unused(ctx, own, jaeger)
		if err != nil {
			return err
		}
		jaeger = jaeger.With(name, free)
	}
	return c.update(func(r *state.Record) { r.Ports = jaeger })
}

// exited returns the reason for the exit of a process, or nil if it runs.
func (c *Cluster) exited(name string) error {
	p, err := c.table.Find(name)
	switch {
	case err != nil:
		return fmt.Errorf("finding %s: %w", name, err)
	case p != nil:
		return nil
	}
	err = c.table.Died(name)
	if died, ok := errors.AsType[*process.DiedError](err); ok {
		return c.explain(died)
	}
	return err
}

// settled is how long a process without a readiness check must run before it is ready. A wrong
// flag or a missing permission ends most programs earlier.
const settled = time.Second

// hasSettled returns nil if a process runs long enough to be ready without a readiness check.
func (c *Cluster) hasSettled(name string) error {
	p, err := c.table.Find(name)
	if err == nil && (p == nil || time.Since(p.Started) < settled) {
		err = fmt.Errorf("%s does not run for %s yet", name, settled)
	}
	return err
}

// explain returns the reason for a process's exit. It also checks for a full disk, which the log
// cannot mention.
func (c *Cluster) explain(died *process.DiedError) *cause.Exit {
	e := cause.Explain(died.Name, died.Tail)
	if e.Remedy != "" {
		return e
	}
	probe := c.dir.Probe()
	err := os.WriteFile(probe, make([]byte, probeSize), 0o600)
	_ = os.Remove(probe) // It may not exist.
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS) {
		return cause.Explain(died.Name, err.Error())
	}
	return e
}

// probeSize is less than the need of each process.
const probeSize = 1 << 20
