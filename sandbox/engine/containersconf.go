package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/BurntSushi/toml"

	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Under podman's default of 2,048 processes and threads, fork fails at about 60 Pods. A Pod
// needs most of them for its shim.
const (
	// MaxPods is the number of Pods that the sandbox allows on a kind node, which has 254 addresses for Pods.
	MaxPods = 250
	// PIDsPerPod is the number of processes and threads that a node needs for each Pod.
	PIDsPerPod = 35
	// EnoughPIDs is the number that a node with MaxPods needs.
	EnoughPIDs = MaxPods * PIDsPerPod
)

// writeContainersConf writes a containers.conf with the settings of the system and of the user, changed
// by settings. CONTAINERS_CONF replaces all other files, and podman 4 has no file that adds to them.
func writeContainersConf(path string, settings map[string]any) error {
	merged := map[string]any{}
	for _, file := range containersConfFiles() {
		var settings map[string]any
		if _, err := toml.DecodeFile(file, &settings); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		merge(merged, settings)
	}
	merge(merged, settings)

	var out bytes.Buffer
	out.WriteString("# Written by the sandbox: the settings of the user, with limits for a node.\n")
	if err := toml.NewEncoder(&out).Encode(merged); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing podman's settings: %w", state.Remedy(err))
	}
	return nil
}

// containersConfFiles returns the files that podman reads, in order; later files override earlier
// ones (containers.conf(5)).
func containersConfFiles() []string {
	files := []string{"/usr/share/containers/containers.conf", "/etc/containers/containers.conf"}
	dirs := []string{"/etc/containers/containers.conf.d"}
	if config, err := os.UserConfigDir(); err == nil {
		files = append(files, filepath.Join(config, "containers", "containers.conf"))
		dirs = append(dirs, filepath.Join(config, "containers", "containers.conf.d"))
	}
	for _, dir := range dirs {
		parts, _ := filepath.Glob(filepath.Join(dir, "*.conf")) // The only possible error is a malformed pattern.
		slices.Sort(parts)
		files = append(files, parts...)
	}
	return files
}

// rlimitNProc is RLIMIT_NPROC of Linux on amd64 and arm64 (getrlimit(2)), which package syscall
// does not define.
const rlimitNProc = 6

func nodeSettings() map[string]any {
	return map[string]any{"containers": map[string]any{"pids_limit": 0}} // 0 removes the limit (containers.conf(5))
}

// hostSettings returns the settings for a host on which podman cannot start a privileged container with
// its own settings:
//   - podman requests more open files and processes than the hard limits of a process without CAP_SYS_RESOURCE;
//   - crun, podman's default runtime, rejects hosts with hybrid cgroup hierarchies; runc accepts them.
func hostSettings() (map[string]any, error) {
	var ulimits []string
	for _, limit := range []struct {
		name     string
		resource int
	}{{"nofile", syscall.RLIMIT_NOFILE}, {"nproc", rlimitNProc}} {
		var value syscall.Rlimit
		if err := syscall.Getrlimit(limit.resource, &value); err != nil {
			return nil, fmt.Errorf("reading the limit %s: %w", limit.name, err)
		}
		most := value.Max
		if limit.resource == rlimitNProc {
			most = min(most, maxPID())
		}
		// As int64, unlimited (all bits set) is -1, as podman expects.
		ulimits = append(ulimits, fmt.Sprintf("%s=%d:%d", limit.name, int64(most), int64(most)))
	}
	settings := nodeSettings()
	merge(settings, map[string]any{
		"containers": map[string]any{"default_ulimits": ulimits},
		"engine":     map[string]any{"runtime": "runc"},
	})
	return settings, nil
}

// maxPID returns the largest process id of the kernel. podman lowers its own process limit to that
// number before it starts a container, and cannot raise it again for the container.
func maxPID() uint64 {
	data, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		return math.MaxUint64
	}
	most, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return math.MaxUint64
	}
	return most
}

// merge adds the settings of from to into. It merges tables and replaces other values.
func merge(into, from map[string]any) {
	for key, value := range from {
		table, isTable := value.(map[string]any)
		existing, hasTable := into[key].(map[string]any)
		if isTable && hasTable {
			merge(existing, table)
			continue
		}
		into[key] = value
	}
}
