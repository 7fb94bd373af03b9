//go:build linux

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// put writes a file below folder, creates missing folders, and returns the path of the file.
func put(t *testing.T, folder, path, content string) string {
	t.Helper()
	full := filepath.Join(folder, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return full
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCgroupV1Mounts(t *testing.T) {
	for _, test := range []struct {
		name, mounts string
		want         []string
	}{
		{"version 1", `proc /proc proc rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
`, []string{"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/systemd"}},
		{"hybrid", `cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
`, []string{"/sys/fs/cgroup/memory"}},
		{"version 2", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", nil},
		{"mounted elsewhere, or below a hierarchy", `cgroup /host/cgroup/memory cgroup rw 0 0
cgroup /sys/fs/cgroup/memory/kubelet cgroup rw 0 0
cgroup
`, nil},
		{"empty", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := cgroupV1Mounts(put(t, t.TempDir(), "mounts", test.mounts))
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("cgroupV1Mounts() = %q, %v, want %q", got, err, test.want)
			}
		})
	}
	if _, err := cgroupV1Mounts(filepath.Join(t.TempDir(), "none")); err == nil || !strings.HasPrefix(err.Error(), "reading mounts: ") {
		t.Errorf("cgroupV1Mounts(missing file): got error %v", err)
	}
}

func TestFieldOf(t *testing.T) {
	file := put(t, t.TempDir(), "status", "Name:\tinit\nCapPrm:\t0000000000000001\nCapEff:\t000001ffffffffff\nEmpty:\n")
	for name, want := range map[string]string{"CapEff:": "000001ffffffffff", "Name:": "init", "Empty:": ""} {
		if got, err := fieldOf(file, name); got != want || err != nil {
			t.Errorf("fieldOf(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
	if _, err := fieldOf(file, "CapBnd:"); err == nil || !strings.Contains(err.Error(), "finding CapBnd: in "+file) {
		t.Errorf("fieldOf(missing field): got error %v", err)
	}
}

// TestHasCapability compares the file that hasCapability reads with the result of capget(2).
func TestHasCapability(t *testing.T) {
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522} // _LINUX_CAPABILITY_VERSION_3: 64 bits, in two words.
	var sets [2]struct{ effective, permitted, inheritable uint32 }
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets)), 0); errno != 0 {
		t.Fatal(errno)
	}
	for bit := range uint(41) {
		want := sets[bit/32].effective&(1<<(bit%32)) != 0
		if got, err := hasCapability(bit); got != want || err != nil {
			t.Errorf("hasCapability(%d) = %t, %v, want %t", bit, got, err, want)
		}
	}
}

// The sandbox decodes the output of the probe into sandbox/engine.Host, which has the same JSON
// names.
func TestInspectHost(t *testing.T) {
	h, err := inspectHost()
	if err != nil {
		t.Fatal(err)
	}
	if h.Architecture != runtime.GOARCH || h.NoFile == 0 || h.Memory < 1<<20 || h.Kernel == "" || strings.ContainsRune(h.Kernel, 0) {
		t.Errorf("inspectHost() = %+v, want all values set", h)
	}
	if h.CgroupV2 && len(h.Hierarchies) > 0 {
		t.Errorf("inspectHost() = %+v, want only one version of cgroups", h)
	}
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"architecture", "kernel", "cgroupV2", "sysResource", "noFile", "mount", "memory"} {
		if !strings.Contains(string(data), `"`+key+`":`) {
			t.Errorf("JSON %s does not contain the key %s", data, key)
		}
	}
}

func TestMapped(t *testing.T) {
	for uidMap, want := range map[string]bool{
		"         0          0 4294967295\n": false, "         0       1000          1\n         1     100000      65536\n": true, "": false, "1 2 3": false,
	} {
		if got := mapped(uidMap); got != want {
			t.Errorf("mapped(%q) = %t, want %t", uidMap, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	folder := t.TempDir()
	for content, want := range map[string]uint64{"128\n": 128, "max\n": 0, "": 0} {
		if got := number(put(t, folder, "limit", content)); got != want {
			t.Errorf("number(file with %q) = %d, want %d", content, got, want)
		}
	}
	if got := number(filepath.Join(folder, "none")); got != 0 {
		t.Errorf("number(missing file) = %d, want 0", got)
	}
}

func TestInspectLimits(t *testing.T) {
	h := &host{}
	h.inspectLimits()
	if h.Free == 0 || h.InotifyInstances == 0 || h.InotifyWatches == 0 {
		t.Errorf("inspectLimits() = %+v, want free space and inotify limits", h)
	}
}
