package doctor

import (
	"bufio"
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

// osName is PRETTY_NAME in the text of an os-release file.
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

// cgroupMemory is the limit of memory below the root of the control groups that this process sees, or 0. A process of a
// container sees its own there, on a machine there is none.
func cgroupMemory(root string) uint64 {
	for _, file := range []string{"memory.max", "memory/memory.limit_in_bytes"} {
		if limit := number(filepath.Join(root, file)); limit > 0 && limit < 1<<60 { // v1's "none" is a very large number.
			return limit
		}
	}
	return 0
}

// number reads a file that holds one, or gives 0.
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

// inotifyInUse counts the inotify instances of this process's user. Those of processes that can't be looked into are not
// counted: they are other users'.
func inotifyInUse() uint64 {
	processes, _ := filepath.Glob("/proc/[0-9]*") // The pattern is well-formed, the only error there is.
	var used uint64
	for _, process := range processes {
		if userOf(process) != os.Geteuid() {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(process, "fd"))
		if err != nil {
			continue // It just ended, or is none of ours.
		}
		for _, entry := range entries {
			if target, err := os.Readlink(filepath.Join(process, "fd", entry.Name())); err == nil && target == "anon_inode:inotify" {
				used++
			}
		}
	}
	return used
}

// userOf is the effective user of a process by its folder in /proc, or -1.
func userOf(process string) int {
	file, err := os.Open(filepath.Join(process, "status"))
	if err != nil {
		return -1
	}
	defer func() { _ = file.Close() }() // It was only read.
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), "Uid:"); found {
			if ids := strings.Fields(rest); len(ids) > 1 {
				if id, err := strconv.Atoi(ids[1]); err == nil {
					return id
				}
			}
			return -1
		}
	}
	return -1
}

// lookAtDisk looks at the file system below path, or below the first folder above it that exists. It writes nothing.
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
		d.Err = fmt.Errorf("looking at the room in %s: %w", folder, err)
		return d
	}
	d.Free = usage.Free
	return d
}

// existing is the first folder at path or above it that exists.
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
