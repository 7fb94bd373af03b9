package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// stopPoll is the interval between checks whether a process has ended.
	stopPoll = 10 * time.Millisecond
	// killWait is the time limit for the end of a killed process. A process that waits for a disk
	// can take this long.
	killWait = 10 * time.Second
)

// Stop stops the process and its whole group: it sends SIGTERM, and SIGKILL after the Grace of the
// Spec. It returns when the process has ended, and returns nil if it had ended before. It returns
// an error if ctx ends first. It keeps the record; see [Table.Stop].
func (p *Process) Stop(ctx context.Context) error {
	leader, err := os.FindProcess(p.PID) // On Linux this opens a handle to the process that has the pid now.
	if err != nil {
		return fmt.Errorf("stopping %s, process %d: %w", p.Name, p.PID, err)
	}
	defer func() { _ = leader.Release() }() // An error has no consequence.
	if running, err := p.running(); err != nil || !running {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopping %s, process %d: %w", p.Name, p.PID, err)
	}
	grace := p.Spec.Grace
	if grace <= 0 {
		grace = defaultGrace
	}
	gone, err := p.end(ctx, leader, syscall.SIGTERM, grace)
	if err == nil && !gone {
		gone, err = p.end(ctx, leader, syscall.SIGKILL, killWait)
	}
	if err != nil {
		return fmt.Errorf("stopping %s, process %d: %w", p.Name, p.PID, err)
	}
	if !gone {
		return fmt.Errorf("stopping %s: process %d still exists %s after SIGKILL; run `ps -o stat,wchan -p %d` to see why it waits",
			p.Name, p.PID, killWait, p.PID)
	}
	err = signalGroup(leader, syscall.SIGKILL) // The leader may have left child processes behind.
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("stopping the child processes of %s, process %d: %w", p.Name, p.PID, err)
	}
	return nil
}

// end sends a signal to the group and waits until its leader has ended, for at most atMost.
func (p *Process) end(ctx context.Context, leader *os.Process, signal syscall.Signal, atMost time.Duration) (gone bool, err error) {
	err = signalGroup(leader, signal)
	if errors.Is(err, errors.ErrUnsupported) {
		err = p.signalNumber(signal)
	}
	if err != nil {
		return false, err
	}
	err = wait.PollUntilContextTimeout(ctx, stopPoll, atMost, true, func(context.Context) (bool, error) {
		gone, err = ended(leader)
		if errors.Is(err, errors.ErrUnsupported) {
			var running bool
			running, err = p.running()
			gone = !running
		}
		return gone, err
	})
	if wait.Interrupted(err) {
		err = nil
		if ctx.Err() != nil {
			err = fmt.Errorf("it has not ended after the signal: %w", ctx.Err())
		}
	}
	return gone, err
}

// signalNumber sends a signal to the group by its number. The number belongs to the group while its
// leader runs.
func (p *Process) signalNumber(signal syscall.Signal) error {
	if running, err := p.running(); err != nil || !running {
		return err
	}
	if err := syscall.Kill(-p.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
