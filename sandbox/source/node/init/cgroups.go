//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// kubeletCgroup is the cgroup root that kind gives the kubelet (cgroupRoot in its kubeadm template).
const kubeletCgroup = "kubelet"

func prepareMounts() error {
	// Container managers must find /sys read-only (systemd's container interface says so, and cAdvisor and the
	// kubelet behave accordingly); a privileged container gets it writable.
	if err := syscall.Mount("", "/sys", "", syscall.MS_REMOUNT|syscall.MS_RDONLY|syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("remounting /sys read-only: %w", err)
	}
	// Pods' volumes with mount propagation need shared mounts.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("making mounts shared: %w", err)
	}
	return nil
}

// prepareCgroups makes the cgroup under which the kubelet puts all pods.
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

// prepareV1 makes the kubelet's cgroup in one hierarchy. A new cpuset is empty, and a process cannot join an empty
// one (ENOSPC), so it gets its parent's processors and memory nodes.
func prepareV1(hierarchy string) error {
	dir := filepath.Join(hierarchy, kubeletCgroup)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making cgroup %s: %w", dir, err)
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

// prepareUnified moves every process of the namespace's root cgroup into a leaf, because a cgroup with processes
// can't give controllers to its children (cgroup-v2, "no internal process constraint"), and then gives the kubelet's
// cgroup all controllers.
func prepareUnified(root string) error {
	leaf := filepath.Join(root, "init")
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return fmt.Errorf("making cgroup %s: %w", leaf, err)
	}
	// A few rounds: a process may be born in the root cgroup while its parent is being moved.
	for range 10 {
		pids, err := os.ReadFile(filepath.Join(root, "cgroup.procs"))
		if err != nil {
			return fmt.Errorf("listing processes of the root cgroup: %w", err)
		}
		if len(pids) == 0 {
			break
		}
		for _, pid := range strings.Fields(string(pids)) {
			_ = os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte(pid), 0o644) // It may have ended by now.
		}
	}
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("reading controllers: %w", err)
	}
	enable := []byte("+" + strings.Join(strings.Fields(string(controllers)), " +"))
	for _, dir := range []string{root, filepath.Join(root, kubeletCgroup)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making cgroup %s: %w", dir, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), enable, 0o644); err != nil {
			return fmt.Errorf("enabling controllers %s in %s: %w", enable, dir, err)
		}
	}
	return nil
}
