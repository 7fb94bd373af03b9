//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// kubeletCgroup is the kubelet's root cgroup, which kind sets as cgroupRoot in its kubeadm
// template.
const kubeletCgroup = "kubelet"

// daemonsCgroup is the cgroup of containerd, the kubelet and what they start outside of pods.
const daemonsCgroup = "init"

// daemonsShares is twice the default, which the kubelet's cgroup has: starts of pods are fast, and the
// control plane gets at least a third of the processor.
const daemonsShares = "2048"

func prepareMounts() error {
	// systemd's container interface requires a read-only /sys, and cAdvisor and the kubelet rely on
	// it. In a privileged container, /sys is writable.
	if err := syscall.Mount("", "/sys", "", syscall.MS_REMOUNT|syscall.MS_RDONLY|syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("remounting /sys read-only: %w", err)
	}
	// Volumes with mount propagation need shared mounts.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("setting mount propagation to shared: %w", err)
	}
	return nil
}

// prepareCgroups creates the cgroup in which the kubelet creates the cgroups of all pods.
func (h *host) prepareCgroups() error {
	if h.CgroupV2 {
		return prepareUnified("/sys/fs/cgroup")
	}
	for _, hierarchy := range h.Hierarchies {
		if err := prepareV1(hierarchy); err != nil {
			return err
		}
	}
	return nil
}

// prepareV1 creates the kubelet's cgroup in one hierarchy. Where the processor is shared, it also moves
// this process, and with it the daemons, into a cgroup: otherwise each of their processes would count
// as much as all pods together, and the API server would starve while many pods start.
func prepareV1(hierarchy string) error {
	if err := makeV1(hierarchy, kubeletCgroup); err != nil || !exists(filepath.Join(hierarchy, "cpu.shares")) {
		return err
	}
	if err := makeV1(hierarchy, daemonsCgroup); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(hierarchy, daemonsCgroup, "cpu.shares"), []byte(daemonsShares), 0o644); err != nil {
		return fmt.Errorf("setting the shares of cgroup %s: %w", daemonsCgroup, err)
	}
	procs := filepath.Join(hierarchy, daemonsCgroup, "cgroup.procs")
	if err := os.WriteFile(procs, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return fmt.Errorf("moving init into cgroup %s: %w", filepath.Dir(procs), err)
	}
	return nil
}

// makeV1 creates a cgroup in one hierarchy. A new cpuset is empty, and a process that joins an empty
// cpuset fails with ENOSPC. So makeV1 copies the processors and memory nodes of the parent.
func makeV1(hierarchy, name string) error {
	dir := filepath.Join(hierarchy, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("creating cgroup %s: %w", dir, err)
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(hierarchy, file))
		if err != nil {
			continue // Not the cpuset hierarchy.
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
			return fmt.Errorf("setting %s of cgroup %s: %w", file, dir, err)
		}
	}
	return nil
}

// prepareUnified enables all controllers for the kubelet's cgroup. A cgroup that contains processes
// cannot enable controllers for its children ("no internal process constraint" of cgroup v2). So
// prepareUnified first moves every process of the namespace's root cgroup into a leaf.
func prepareUnified(root string) error {
	leaf := filepath.Join(root, daemonsCgroup)
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return fmt.Errorf("creating cgroup %s: %w", leaf, err)
	}
	// Repeat, because a process can fork a child in the root cgroup while it is being moved.
	for range 10 {
		pids, err := os.ReadFile(filepath.Join(root, "cgroup.procs"))
		if err != nil {
			return fmt.Errorf("listing processes of the root cgroup: %w", err)
		}
		if len(pids) == 0 {
			break
		}
		for _, pid := range strings.Fields(string(pids)) {
			_ = os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte(pid), 0o644) // The process may have exited.
		}
	}
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("reading cgroup controllers: %w", err)
	}
	enable := []byte("+" + strings.Join(strings.Fields(string(controllers)), " +"))
	for _, dir := range []string{root, filepath.Join(root, kubeletCgroup)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("creating cgroup %s: %w", dir, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), enable, 0o644); err != nil {
			return fmt.Errorf("enabling controllers %s in %s: %w", enable, dir, err)
		}
	}
	return nil
}
