package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	// stopPoll is how often it is looked whether a process has ended.
	stopPoll = 10 * time.Millisecond
	// killWait is how long the system may take to end a process that was killed: one that waits for a disk takes as long as the disk.
	killWait = 10 * time.Second
)

// Stop ends the process and everything in its group: SIGTERM, and SIGKILL for what is left after the Spec's Grace. It returns when the
// process is gone, nil at once if it was gone already, or an error when ctx ends before. The record stays, see [Table.Stop].
func (p *Process) Stop(ctx context.Context) error {
	leader, err := os.FindProcess(p.PID) // On Linux this opens a handle, which stays with the process that has the pid now.
	if err != nil {
		return fmt.Errorf("stopping %s, process %d: %w", p.Name, p.PID, err)
	}
	defer func() { _ = leader.Release() }() // It gives the handle back, and can't fail in a way that matters.
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
		return fmt.Errorf("stopping %s: process %d is still there %s after it was killed; see what it waits for with `ps -o stat,wchan -p %d`",
			p.Name, p.PID, killWait, p.PID)
	}
	err = signalGroup(leader, syscall.SIGKILL) // What ended without its helpers leaves them.
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("stopping what %s, process %d, left behind: %w", p.Name, p.PID, err)
	}
	return nil
}

// end sends a signal to the group and waits until its leader is gone, at most for the time given.
func (p *Process) end(ctx context.Context, leader *os.Process, signal syscall.Signal, atMost time.Duration) (gone bool, err error) {
	err = signalGroup(leader, signal)
	if errors.Is(err, errors.ErrUnsupported) {
		err = p.signalNumber(signal)
	}
	if err != nil {
		return false, err
	}
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	tick := time.NewTicker(stopPoll)
	defer tick.Stop()
	for {
		gone, err := ended(leader)
		if errors.Is(err, errors.ErrUnsupported) {
			var running bool
			running, err = p.running()
			gone = !running
		}
		if err != nil || gone {
			return gone, err
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("it was told to end and has not yet: %w", ctx.Err())
		case <-timer.C:
			return false, nil
		case <-tick.C:
		}
	}
}

// signalNumber sends a signal to the group by its number, which is the group's as long as its leader runs.
func (p *Process) signalNumber(signal syscall.Signal) error {
	if running, err := p.running(); err != nil || !running {
		return err
	}
	if err := syscall.Kill(-p.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
