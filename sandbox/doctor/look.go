package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"
)

func lookAtSystem() System {
	s := System{OS: runtime.GOOS, Arch: runtime.GOARCH, Processors: runtime.NumCPU(), Root: os.Geteuid() == 0}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		s.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	s.WSL = strings.Contains(strings.ToLower(s.Kernel), "microsoft")
	if data, err := os.ReadFile("/etc/os-release"); err == nil {
		s.Distribution = osName(string(data))
	}
	_, err := exec.LookPath("apt-get")
	s.Apt = err == nil
	return s
}

func osName(text string) string {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); found {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

func lookAtMemory() Memory {
	var m Memory
	if all, err := mem.VirtualMemory(); err == nil {
		m.Total, m.Available = all.Total, all.Available
	}
	m.Limit = cgroupMemory("/sys/fs/cgroup")
	return m
}

// cgroupMemory returns the memory limit in the root control group that this process sees, or 0. In
// a container, this is the limit of the container; otherwise there is no limit.
func cgroupMemory(root string) uint64 {
	for _, file := range []string{"memory.max", "memory/memory.limit_in_bytes"} {
		if limit := number(filepath.Join(root, file)); limit > 0 && limit < 1<<60 { // In v1, a very large number means no limit.
			return limit
		}
	}
	return 0
}

// number reads a file that contains a number. It returns 0 on any error.
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

func lookAtLimits() Limits {
	var l Limits
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		l.OpenFiles = files.Max
	}
	l.InotifyInstances = number("/proc/sys/fs/inotify/max_user_instances")
	l.InotifyWatches = number("/proc/sys/fs/inotify/max_user_watches")
	return l
}

// inotifyInUse counts the inotify instances of this user. It skips processes that it cannot read.
func inotifyInUse() uint64 {
	processes, _ := process.Processes() // Without a list, none is counted.
	var used uint64
	for _, p := range processes {
		if ids, err := p.Uids(); err != nil || len(ids) < 2 || int(ids[1]) != os.Geteuid() {
			continue
		}
		files, _ := p.OpenFiles() // The process has exited or is not readable.
		for _, file := range files {
			if file.Path == "anon_inode:inotify" {
				used++
			}
		}
	}
	return used
}

// lookAtDisk inspects the file system of path, or of its nearest existing parent folder. It writes
// nothing.
func lookAtDisk(what, path string, remedy func(error) error) Disk {
	d := Disk{What: what, Path: path}
	folder, err := existing(path)
	if err == nil {
		err = unix.Access(folder, unix.W_OK|unix.X_OK)
	}
	if err != nil {
		d.Err = remedy(&fs.PathError{Op: "write", Path: folder, Err: err})
		return d
	}
	usage, err := disk.Usage(folder)
	if err != nil {
		d.Err = fmt.Errorf("reading the free space of %s: %w", folder, err)
		return d
	}
	d.Free = usage.Free
	return d
}

func existing(path string) (string, error) {
	for {
		info, err := os.Stat(path)
		switch {
		case err == nil && !info.IsDir():
			return path, syscall.ENOTDIR
		case err == nil:
			return path, nil
		case !errors.Is(err, fs.ErrNotExist):
			return path, errors.Unwrap(err)
		case path == filepath.Dir(path):
			return path, syscall.ENOENT
		}
		path = filepath.Dir(path)
	}
}
