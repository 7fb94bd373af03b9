//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// stopGrace is the time between SIGTERM and SIGKILL for the processes of pods. Engines kill the
// whole node 10 s after their own SIGTERM, and etcd should write its state before that.
const stopGrace = 6 * time.Second

// supervise prepares the node and runs its two daemons until ctx is cancelled. Then it stops all
// processes.
func supervise(ctx context.Context) error {
	host, err := inspectHost()
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"preparing mounts", prepareMounts},
		{"preparing cgroups", host.prepareCgroups},
		{"creating a machine id", writeMachineID},
		{"configuring DNS", prepareDNS(ctx)},
		{"updating the node address", func() error { return followAddress(ctx) }},
		{"rejecting traffic to untranslated Service addresses", func() error { return fenceServices(ctx) }},
		{"configuring containerd", func() error { return configureContainerd(ctx, host) }},
	} {
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}

	var daemons sync.WaitGroup
	daemons.Go(func() {
		keepRunning(ctx, "containerd", containerdCommand)
	})
	daemons.Go(func() {
		if err := importImages(ctx); err != nil {
			logf("importing images: %v", err)
		}
		keepRunning(ctx, "kubelet", kubeletCommand)
	})

	// kind waits for this line, which systemd prints, before it continues. The images may not be
	// imported yet. kubeadm needs them only some seconds later, and the kubelet starts only after
	// the import.
	fmt.Println("Reached target Multi-User System.")

	<-ctx.Done()
	stopEverything()
	daemons.Wait()
	return nil
}

// keepRunning runs a daemon and restarts it until ctx is cancelled. The output goes to
// /var/log/NAME.log.
func keepRunning(ctx context.Context, name string, command func() (*exec.Cmd, error)) {
	for ctx.Err() == nil {
		if err := runOnce(name, command); err != nil && !errors.Is(err, errNotYet) && ctx.Err() == nil {
			logf("%s: %v; restarting it", name, err)
		}
		pause(ctx, 200*time.Millisecond)
	}
}

func runOnce(name string, command func() (*exec.Cmd, error)) error {
	cmd, err := command()
	if err != nil {
		return err
	}
	log, err := os.OpenFile("/var/log/"+name+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	logf("started %s as process %d", name, cmd.Process.Pid)
	return cmd.Wait()
}

// stopEverything stops every process in the node, except PID 1 and this process. It returns after
// at most stopGrace plus a second. kill(-1) is safe only here, because the PID namespace contains
// only the processes of the node.
func stopEverything() {
	_ = syscall.Kill(-1, syscall.SIGTERM)
	for end := time.Now().Add(stopGrace); time.Now().Before(end) && othersRun(); {
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // The kernel does not report the exit of processes that are not children.
	}
	_ = syscall.Kill(-1, syscall.SIGKILL)
}

// othersRun reports whether any process still runs, except PID 1, this process and containerd's
// shims. Shims ignore SIGTERM, and can be killed safely after their containers have exited.
func othersRun() bool {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false
	}
	own := fmt.Sprint(os.Getpid())
	for _, entry := range entries {
		name := entry.Name()
		if name[0] < '0' || name[0] > '9' || name == "1" || name == own {
			continue
		}
		if exe, err := os.Readlink("/proc/" + name + "/exe"); err == nil && filepath.Base(exe) != "containerd-shim-runc-v2" {
			return true
		}
	}
	return false
}

// pause waits for d or until ctx is cancelled.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// exists reports whether path exists. It also returns true if the check fails for another reason.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// logf prints a line to standard error, which is the log of the node.
func logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "init: "+format+"\n", args...)
}
