//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// reap is the whole of PID 1: it starts the supervisor, hands SIGTERM on to it, waits for every orphan, and ends
// with the supervisor. The two are apart because wait4(-1) in one process with os/exec would steal its children.
func reap() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the own binary: %w", err)
	}
	supervisor := exec.Command(self, "supervise")
	supervisor.Stdout, supervisor.Stderr = os.Stdout, os.Stderr
	if err := supervisor.Start(); err != nil {
		return fmt.Errorf("starting the supervisor: %w", err)
	}

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.Signal(37)) // 37 is SIGRTMIN+3, systemd's "halt", which engines send to images that ask for it.
	go func() {
		for range signals {
			_ = supervisor.Process.Signal(syscall.SIGTERM) // It may just have ended; then there is nothing to stop.
		}
	}()

	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("waiting for children: %w", err)
		case pid == supervisor.Process.Pid && status.ExitStatus() == 0:
			return nil
		case pid == supervisor.Process.Pid:
			return fmt.Errorf("supervisor ended with status %d", status.ExitStatus())
		}
	}
}
