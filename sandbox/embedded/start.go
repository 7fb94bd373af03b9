package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

const (
	// patience is how long a process that runs already may take to answer, before it is started anew: one that hangs, or is
	// stopped, never will.
	patience = 15 * time.Second
	// moves is how often a process may find its ports taken, one after another.
	moves = 3
)

// service is one process: how it is started, and when it is ready.
type service struct {
	name string
	// spec is asked again for each start, since ports may have changed.
	spec func() (process.Spec, error)
	// ports are those of the record that it listens on and that may be replaced when they turn out to be taken.
	ports func(*state.ComponentPorts) []*int
	// ready asks the process once. Nil means that it only has to run.
	ready func(context.Context) error
}

// start makes sure that a process runs as it should and is ready. A process that hangs is started anew, and one whose port
// was taken between choosing it and listening gets another.
func (c *Cluster) start(ctx context.Context, svc service, report Report) (started bool, err error) {
	for move := 0; ; move++ {
		started, err = c.startOnce(ctx, svc)
		var died *process.DiedError
		switch {
		case err == nil || !errors.As(err, &died):
			return started, err
		case !portTaken(died.Tail) || move == moves:
			return started, c.explain(died)
		}
		report.say("%s: its port is taken, choosing another", svc.name)
		if err := c.move(ctx, svc); err != nil {
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
	p, started, err := c.table.Ensure(ctx, spec)
	if err != nil {
		return started, fmt.Errorf("starting %s: %w", svc.name, state.Remedy(err))
	}
	if svc.ready == nil {
		// Of one that nobody can ask, only this is known.
		svc.ready = func(context.Context) error { return nil }
	}
	if !started {
		if !p.Stopped {
			patient, cancel := context.WithTimeout(ctx, patience)
			err = c.table.Await(patient, svc.name, svc.ready)
			cancel()
			if err == nil || ctx.Err() != nil {
				return false, err
			}
		}
		if err := c.table.Stop(ctx, svc.name); err != nil {
			return false, fmt.Errorf("restarting %s: %w", svc.name, err)
		}
		if _, _, err := c.table.Ensure(ctx, spec); err != nil {
			return false, fmt.Errorf("restarting %s: %w", svc.name, state.Remedy(err))
		}
	}
	if err := c.table.Await(ctx, svc.name, svc.ready); err != nil {
		return true, fmt.Errorf("waiting for %s: %w", svc.name, err)
	}
	return true, nil
}

// portTaken tells whether a process ended because another one listens on its port. The words are the system's, which
// every program repeats (strerror of EADDRINUSE).
func portTaken(log string) bool { return strings.Contains(log, "address already in use") }

// move chooses other ports for a process in place of those that are taken now.
func (c *Cluster) move(ctx context.Context, svc service) error {
	if svc.name == component.Jaeger {
		if err := c.moveJaeger(ctx); err != nil {
			return err
		}
	}
	own, jaeger := c.ports()
	var chosen []int // by position; 0 for a port that stays
	for _, p := range svc.ports(&own) {
		// The one on every address may be taken on another than loopback.
		if _, err := port.Free(ctx, *p); err == nil && svc.name != component.CertManagerWebhook {
			chosen = append(chosen, 0)
			continue
		}
		free, err := unused(ctx, own, jaeger)
		if err != nil {
			return err
		}
		*p, chosen = free, append(chosen, free)
	}
	// Others may move at the same time: only what is this process's changes.
	err := c.update(func(r *state.Record) {
		for i, p := range svc.ports(&r.ComponentPorts) {
			if chosen[i] != 0 {
				*p = chosen[i]
			}
		}
	})
	if err != nil || svc.name != component.APIServer {
		return err
	}
	return c.writeAdmin()
}

// moveJaeger does the same with Jaeger's ports for users. It returns an error if the user asked for
// a port that is taken.
func (c *Cluster) moveJaeger(ctx context.Context) error {
	own, jaeger := c.ports()
	for name, number := range jaeger {
		_, err := port.Free(ctx, number)
		if err == nil {
			continue
		}
		if c.wanted[name] != 0 {
			return err
		}
		free, err := unused(ctx, own, jaeger)
		if err != nil {
			return err
		}
		jaeger = jaeger.With(name, free)
	}
	return c.update(func(r *state.Record) { r.Ports = jaeger })
}

// diedError is a process.DiedError in one line.
type diedError struct {
	name, line string
	// remedy is set where the machine is to blame, not what the process was given.
	remedy string
}

// Error says what the process wrote last and what to do.
func (e *diedError) Error() string {
	switch {
	case e.line == "":
		return e.name + " ended and wrote nothing"
	case e.remedy != "":
		return fmt.Sprintf("%s ended: %s: %s", e.name, e.line, e.remedy)
	}
	return fmt.Sprintf("%s ended: %s; `sandbox logs %s` has more", e.name, e.line, e.name)
}

// remedies are by the system's words for what is wrong with the machine.
var remedies = []struct{ words, remedy string }{
	{"no space left on device", "make room there, or choose another folder with --state-dir or SANDBOX_STATE_DIR"},
	{"disk quota exceeded", "make room there, or choose another folder with --state-dir or SANDBOX_STATE_DIR"},
	{"read-only file system", "choose another folder with --state-dir or SANDBOX_STATE_DIR"},
	{"permission denied", "choose another folder with --state-dir or SANDBOX_STATE_DIR"},
	{"too many open files", "raise the limit (`ulimit -n`)"},
	{"cannot allocate memory", "the sandbox needs 2 GiB of memory"},
	{"address already in use", "end the program that listens there"},
}

// explain says why a process died. On a disk that is full it can't have said so itself.
func (c *Cluster) explain(died *process.DiedError) *diedError {
	e := explain(died)
	if e.remedy != "" {
		return e
	}
	probe := c.dir.Probe()
	err := os.WriteFile(probe, make([]byte, probeSize), 0o600)
	_ = os.Remove(probe) // It need not be there.
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS) {
		return explain(&process.DiedError{Name: died.Name, Tail: err.Error()})
	}
	return e
}

// probeSize is less than any of the processes needs.
const probeSize = 1 << 20

// explain picks from a log what says most about its end.
func explain(died *process.DiedError) *diedError {
	e := &diedError{name: died.Name, line: lastWords(died.Tail)}
	for _, r := range remedies {
		if strings.Contains(died.Tail, r.words) {
			e.remedy = r.remedy
			break
		}
	}
	return e
}

// lastWords picks the line of a log's end that says most.
func lastWords(tail string) string {
	lines := strings.Split(strings.TrimSpace(tail), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		for _, word := range []string{"panic:", `"level":"fatal"`, `"level":"panic"`, `"level":"error"`, "Error:", "err=", "error"} {
			if strings.Contains(lines[i], word) {
				return shorten(lines[i])
			}
		}
	}
	return shorten(lines[len(lines)-1])
}

// shorten cuts a line to what fits an error.
func shorten(line string) string {
	const most = 300
	line = strings.TrimSpace(line)
	if letters := []rune(line); len(letters) > most {
		return string(letters[:most]) + "…"
	}
	return line
}
