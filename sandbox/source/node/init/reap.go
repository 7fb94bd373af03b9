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

// reap does all the work of PID 1. It starts the supervisor, forwards SIGTERM to it, waits for
// every orphan, and returns when the supervisor exits. It returns an error unless the supervisor
// exits with 0. The supervisor is a separate process, because wait4(-1) would reap the children of
// os/exec.
func reap() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the path of this program: %w", err)
	}
	supervisor := exec.Command(self, "supervise")
	supervisor.Stdout, supervisor.Stderr = os.Stdout, os.Stderr
	if err := supervisor.Start(); err != nil {
		return fmt.Errorf("starting the supervisor: %w", err)
	}

	signals := make(chan os.Signal, 8)
	// 37 is SIGRTMIN+3. systemd halts on it, and engines send it if an image declares it as its
	// stop signal.
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.Signal(37))
	go func() {
		for range signals {
			_ = supervisor.Process.Signal(syscall.SIGTERM) // The supervisor may have exited already.
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
			return fmt.Errorf("supervisor exited with status %d", status.ExitStatus())
		}
	}
}
