package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
)

// The names of processes, as status has them.
const (
	jaegerProcess   = "jaeger"
	operatorProcess = "operator"
)

// processes are the operator and Jaeger of an embedded cluster. What is done to
// them is done as a user does it: by the sandbox program, and by signals to what
// its status names.
type processes struct {
	program *program

	given map[string]string // the operator's variables that are none of the tests' business

	mu  sync.Mutex
	env map[string]string // those that tests set; each up must be told all of them again
}

var _ parts = (*processes)(nil)

// up brings the sandbox to what it should be. What it printed is part of its error.
func (p *processes) up(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var said bytes.Buffer
	if err := p.program.up(ctx, &said, operatorEnvArgs(p.variables())...); err != nil {
		return fmt.Errorf("%w; it says:\n%s", err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// variables are all that the operator is to have beyond its own, as NAME=VALUE.
func (p *processes) variables() []string {
	all := maps.Clone(p.given)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, p.env)
	return environment(all)
}

// setOperatorEnv leaves a sandbox alone in which nothing has to change: up would also
// bring back what its user removed.
func (p *processes) setOperatorEnv(ctx context.Context, env map[string]string) error {
	p.mu.Lock()
	p.env = maps.Clone(env)
	want := p.variables()
	p.mu.Unlock()
	status, err := p.program.status(ctx)
	if err != nil {
		return err
	}
	if status.State == StateUp && slices.Equal(slices.Sorted(slices.Values(status.OperatorEnv)), want) {
		return nil
	}
	return p.up(ctx) // What it is not told, it takes back.
}

func (p *processes) killOperator(ctx context.Context) error {
	return p.end(ctx, operatorProcess, syscall.SIGKILL)
}

func (p *processes) startOperator(ctx context.Context) error { return p.up(ctx) }

func (p *processes) otlpHTTP(status Status) string {
	return "http://" + status.Jaeger.OTLPHTTP + "/v1/traces"
}

// end sends a signal to a process, if it runs, and waits until it is gone.
func (p *processes) end(ctx context.Context, name string, signal syscall.Signal) error {
	process, err := p.find(ctx, name)
	if err != nil || process.PID == 0 {
		return err
	}
	if err := syscall.Kill(process.PID, signal); err != nil {
		return fmt.Errorf("ending process %d: %w", process.PID, err)
	}
	return Eventually(ctx, rolloutLimit, "the end of "+name, func(ctx context.Context) error {
		now, err := p.find(ctx, name)
		if err == nil && now.PID != 0 {
			err = fmt.Errorf("process %d runs", now.PID)
		}
		return err
	})
}

func (p *processes) find(ctx context.Context, name string) (Process, error) {
	status, err := p.program.status(ctx)
	if err != nil {
		return Process{}, err
	}
	for _, process := range status.processes() {
		if process.Name == name {
			return process, nil
		}
	}
	return Process{}, fmt.Errorf("finding the process %s: the sandbox's status doesn't name it", name)
}

func (p *processes) stopJaeger(ctx context.Context) error {
	return p.end(ctx, jaegerProcess, syscall.SIGTERM)
}

func (p *processes) startJaeger(ctx context.Context) error {
	process, err := p.find(ctx, jaegerProcess)
	if err != nil || process.PID != 0 {
		return err
	}
	return p.up(ctx)
}

func (p *processes) operatorLog(ctx context.Context) ([]byte, error) {
	return p.log(ctx, operatorProcess)
}

// log reads the end of a process's log.
func (p *processes) log(ctx context.Context, name string) ([]byte, error) {
	process, err := p.find(ctx, name)
	if err != nil {
		return nil, err
	}
	data, err := tail(process.Log)
	if err != nil {
		return nil, fmt.Errorf("reading the log of %s: %w", name, err)
	}
	return data, nil
}

// tail reads the last maxLog bytes of a file.
func tail(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // It was only read.
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	start := max(0, info.Size()-maxLog)
	return io.ReadAll(io.NewSectionReader(file, start, info.Size()-start))
}

// keepLogs writes nothing about a namespace: its pods have no containers.
func (p *processes) keepLogs(ctx context.Context, _ string, write writeFunc) {
	for _, name := range []string{operatorProcess, jaegerProcess} {
		data, err := p.log(ctx, name)
		write("log-"+name+".txt", data, err)
	}
}
