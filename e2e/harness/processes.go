package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/operator-tracing/sandbox/e2e/triage"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// This file ends and examines processes of an embedded cluster.

// end sends a signal to a process and waits for its exit. It does nothing if the process does not run.
func (c *Cluster) end(ctx context.Context, name string, signal syscall.Signal) error {
	process, err := c.find(ctx, name)
	if err != nil || process.PID == 0 {
		return err
	}
	if err := syscall.Kill(process.PID, signal); err != nil {
		return fmt.Errorf("ending process %d: %w", process.PID, err)
	}
	return Eventually(ctx, rolloutLimit, "the end of "+name, func(ctx context.Context) error {
		now, err := c.find(ctx, name)
		if err == nil && now.PID != 0 {
			err = fmt.Errorf("process %d is running", now.PID)
		}
		return err
	})
}

// find returns a process as the status of the sandbox describes it.
func (c *Cluster) find(ctx context.Context, name string) (Process, error) {
	status, err := c.program.status(ctx)
	if err != nil {
		return Process{}, err
	}
	for _, process := range status.processes() {
		if process.Name == name {
			return process, nil
		}
	}
	return Process{}, fmt.Errorf("finding process %s: it is not in the status of the sandbox", name)
}

// processState returns the start and the environment of the operator's process. It has no metrics.
func (c *Cluster) processState(ctx context.Context) (triage.Operator, error) {
	process, err := c.find(ctx, component.Operator)
	if err != nil {
		return triage.Operator{}, err
	}
	operator := triage.Operator{Started: process.Since}
	if process.PID == 0 {
		return operator, errors.New("reading the operator's variables: the operator is not running")
	}
	data, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(process.PID), "environ"))
	if err != nil {
		return operator, fmt.Errorf("reading the operator's variables: %w", err)
	}
	operator.Env = map[string]string{}
	for variable := range strings.SplitSeq(string(data), "\x00") {
		if name, value, found := strings.Cut(variable, "="); found {
			operator.Env[name] = value
		}
	}
	return operator, nil
}
