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

// host is what the machine under the engine grants a privileged container. It is read here, inside a container,
// because the engine may live in a virtual machine of its own.
type host struct {
	Architecture string   `json:"architecture"` // GOARCH
	Kernel       string   `json:"kernel"`
	CgroupV2     bool     `json:"cgroupV2"`    // the unified hierarchy alone, no hybrid
	Hierarchies  []string `json:"hierarchies"` // cgroup v1 mount points
	SysResource  bool     `json:"sysResource"` // CAP_SYS_RESOURCE: may raise limits and lower oom_score_adj
	NoFile       uint64   `json:"noFile"`      // hard limit of open files
	Mount        bool     `json:"mount"`       // can mount a tmpfs: the engine really gave privileges
	Memory       uint64   `json:"memory"`      // bytes
	Controllers  []string `json:"controllers"` // of cgroup v2
	Rootless     bool     `json:"rootless"`    // root here is another user outside
	Free         uint64   `json:"free"`        // room in the engine's storage, in bytes

	PIDs             uint64 `json:"pids"`             // limit of processes and threads; 0 if there is none
	InotifyInstances uint64 `json:"inotifyInstances"` // for one user
	InotifyWatches   uint64 `json:"inotifyWatches"`
}

// capSysResource is CAP_SYS_RESOURCE's bit in /proc/self/status (capabilities(7)).
const capSysResource = 24

func probe(out io.Writer) error {
	h, err := inspectHost()
	if err != nil {
		return err
	}
	h.inspectLimits()
	dir, err := os.MkdirTemp("/", "probe-")
	if err != nil {
		return fmt.Errorf("making a mount point: %w", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err == nil {
		h.Mount = syscall.Unmount(dir, 0) == nil
	}
	return json.NewEncoder(out).Encode(h)
}

func inspectHost() (*host, error) {
	h := &host{Architecture: runtime.GOARCH}

	var name syscall.Utsname
	if err := syscall.Uname(&name); err != nil {
		return nil, fmt.Errorf("reading the kernel's version: %w", err)
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
		return nil, fmt.Errorf("reading the size of memory: %w", err)
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

// inspectLimits adds what a doctor wants to know. What can't be read stays zero: no node is refused for it.
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

// mapped tells whether the user 0 of a user namespace is another one outside (user_namespaces(7), /proc/PID/uid_map).
func mapped(uidMap string) bool {
	fields := strings.Fields(uidMap)
	return len(fields) >= 2 && fields[0] == "0" && fields[1] != "0"
}

// number reads a file that holds one. It returns 0 for other content, such as the "max" of cgroups.
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

func hasCapability(bit uint) (bool, error) {
	value, err := fieldOf("/proc/self/status", "CapEff:")
	if err != nil {
		return false, err
	}
	set, err := strconv.ParseUint(value, 16, 64)
	if err != nil {
		return false, fmt.Errorf("reading effective capabilities %q: %w", value, err)
	}
	return set&(1<<bit) != 0, nil
}

// fieldOf returns what follows name on its line in file.
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

// cgroupV1Mounts lists the mount points of cgroup v1 hierarchies in a mounts file (proc(5)).
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
