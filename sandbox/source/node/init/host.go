//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// host describes the limits and capabilities of a privileged container on the engine's machine.
// Init reads them inside a container, because the engine may run in a virtual machine.
type host struct {
	Architecture string   `json:"architecture"` // GOARCH
	Kernel       string   `json:"kernel"`
	CgroupV2     bool     `json:"cgroupV2"`    // only the unified hierarchy, not hybrid
	Hierarchies  []string `json:"hierarchies"` // cgroup v1 mount points
	SysResource  bool     `json:"sysResource"` // CAP_SYS_RESOURCE: can raise limits and lower oom_score_adj
	NoFile       uint64   `json:"noFile"`      // hard limit of open files
	Mount        bool     `json:"mount"`       // can mount a tmpfs, so the container is privileged
	Memory       uint64   `json:"memory"`      // bytes
	Controllers  []string `json:"controllers"` // controllers of cgroup v2
	Rootless     bool     `json:"rootless"`    // root in the container is another user on the host
	Free         uint64   `json:"free"`        // free bytes in the engine's storage

	PIDs             uint64 `json:"pids"`             // limit of processes and threads; 0 means unlimited or unknown
	InotifyInstances uint64 `json:"inotifyInstances"` // limit per user
	InotifyWatches   uint64 `json:"inotifyWatches"`   // limit per user
}

// capSysResource is the bit of CAP_SYS_RESOURCE in /proc/self/status (capabilities(7)).
const capSysResource = 24

// probe writes the description of the host to out as JSON.
func probe(out io.Writer) error {
	h, err := inspectHost()
	if err != nil {
		return err
	}
	h.inspectLimits()
	dir, err := os.MkdirTemp("/", "probe-")
	if err != nil {
		return fmt.Errorf("creating a mount point: %w", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err == nil {
		h.Mount = syscall.Unmount(dir, 0) == nil
	}
	return json.NewEncoder(out).Encode(h)
}

// inspectHost returns the fields of the host that a node needs to start.
func inspectHost() (*host, error) {
	h := &host{Architecture: runtime.GOARCH}

	var name syscall.Utsname
	if err := syscall.Uname(&name); err != nil {
		return nil, fmt.Errorf("reading the kernel version: %w", err)
	}
	for _, c := range name.Release {
		if c == 0 {
			break
		}
		h.Kernel += string(rune(c))
	}

	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("reading the limit of open files: %w", err)
	}
	h.NoFile = limit.Max

	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return nil, fmt.Errorf("reading the memory size: %w", err)
	}
	h.Memory = uint64(info.Totalram) * uint64(info.Unit) //nolint:unconvert // Totalram is 32 bits wide on 32-bit systems.

	var err error
	if h.SysResource, err = hasCapability(capSysResource); err != nil {
		return nil, err
	}
	h.CgroupV2 = exists("/sys/fs/cgroup/cgroup.controllers")
	if !h.CgroupV2 {
		h.Hierarchies, err = cgroupV1Mounts("/proc/self/mounts")
	}
	return h, err
}

// inspectLimits sets the fields that `sandbox doctor` reports. A value that cannot be read stays
// zero, because a node can start without it.
func (h *host) inspectLimits() {
	h.InotifyInstances = number("/proc/sys/fs/inotify/max_user_instances")
	h.InotifyWatches = number("/proc/sys/fs/inotify/max_user_watches")
	h.PIDs = number("/sys/fs/cgroup/pids/pids.max")
	if h.CgroupV2 {
		h.PIDs = number("/sys/fs/cgroup/pids.max")
		if data, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err == nil {
			h.Controllers = strings.Fields(string(data))
		}
	}
	if data, err := os.ReadFile("/proc/self/uid_map"); err == nil {
		h.Rootless = mapped(string(data))
	}
	var storage syscall.Statfs_t
	if syscall.Statfs("/", &storage) == nil {
		h.Free = storage.Bavail * uint64(storage.Bsize)
	}
}

// mapped reports whether user 0 of a user namespace is a different user outside. Its argument is
// the content of /proc/PID/uid_map (user_namespaces(7)).
func mapped(uidMap string) bool {
	fields := strings.Fields(uidMap)
	return len(fields) >= 2 && fields[0] == "0" && fields[1] != "0"
}

// number returns the number in a file. It returns 0 if the file cannot be read or has other
// content, such as the "max" of cgroups.
func number(path string) uint64 {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	value, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0
	}
	return value
}

// hasCapability reports whether the capability with this bit is in the effective set of this
// process.
func hasCapability(bit uint) (bool, error) {
	value, err := fieldOf("/proc/self/status", "CapEff:")
	if err != nil {
		return false, err
	}
	set, err := strconv.ParseUint(value, 16, 64)
	if err != nil {
		return false, fmt.Errorf("parsing effective capabilities %q: %w", value, err)
	}
	return set&(1<<bit) != 0, nil
}

// fieldOf returns the rest of the first line in file that starts with name.
func fieldOf(file, name string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), name); found {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", fmt.Errorf("finding %s in %s: no such line", name, file)
}

// cgroupV1Mounts returns the mount points of cgroup v1 hierarchies in a mounts file (proc(5)).
func cgroupV1Mounts(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading mounts: %w", err)
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) > 2 && fields[2] == "cgroup" && filepath.Dir(fields[1]) == "/sys/fs/cgroup" {
			found = append(found, fields[1])
		}
	}
	return found, nil
}
