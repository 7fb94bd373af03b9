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

// stopGrace is how long pods' processes have after SIGTERM before they are killed. Engines kill the whole node
// 10 s after their own SIGTERM, and etcd should have written its state by then.
const stopGrace = 6 * time.Second

// supervise prepares the node and runs its two daemons until ctx ends.
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
		{"making a machine id", writeMachineID},
		{"pointing DNS at an address that pods reach", prepareDNS(ctx)},
		{"following a changed node address", func() error { return followAddress(ctx) }},
		{"fencing service addresses", func() error { return fenceServices(ctx) }},
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

	// kind waits for this line of systemd's before it goes on. It does not mean that the images are there:
	// kubeadm needs seconds until it wants them, and the kubelet starts only when they are.
	fmt.Println("Reached target Multi-User System.")

	<-ctx.Done()
	stopEverything()
	daemons.Wait()
	return nil
}

// keepRunning starts a daemon again and again until ctx ends, with its output in /var/log/NAME.log.
func keepRunning(ctx context.Context, name string, command func() (*exec.Cmd, error)) {
	for ctx.Err() == nil {
		if err := runOnce(name, command); err != nil && !errors.Is(err, errNotYet) && ctx.Err() == nil {
			logf("%s: %v; starting it again", name, err)
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
	logf("%s runs as process %d", name, cmd.Process.Pid)
	return cmd.Wait()
}

// stopEverything ends every process in the node but PID 1 and this one, within stopGrace and a second.
// kill(-1) is right here, and only here: the node's PID namespace holds nothing but the node.
func stopEverything() {
	_ = syscall.Kill(-1, syscall.SIGTERM)
	for end := time.Now().Add(stopGrace); time.Now().Before(end) && othersRun(); {
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // a condition on processes that aren't children can only be polled
	}
	_ = syscall.Kill(-1, syscall.SIGKILL)
}

// othersRun tells whether any process but PID 1, this one and containerd's shims still runs. Shims ignore SIGTERM; they have
// nothing to save once their containers are gone.
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

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

func logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "init: "+format+"\n", args...)
}
