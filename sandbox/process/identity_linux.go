package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// bootID returns the id of the boot. It is empty on some systems that are not a full Linux, such as
// container sandboxes.
var bootID = sync.OnceValues(func() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(id)), err
})

// look returns the process that has pid now, or nil. All files are read below one open folder. They
// disappear with the process, and never show a later process with the same pid.
func look(pid int) (*seen, error) {
	s, err := read(pid)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return nil, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil // Another user's process, on a system that hides them.
	}
	return s, err
}

func read(pid int) (*seen, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	folder, err := os.OpenRoot("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }() // It was only read.
	s := &seen{pid: pid, identity: identity{Boot: boot}}
	stat, err := folder.ReadFile("stat")
	if err != nil {
		return nil, err
	}
	if err := s.parseStat(string(stat)); err != nil {
		return nil, err
	}
	status, err := folder.ReadFile("status")
	if err != nil {
		return nil, err
	}
	if err := s.parseStatus(string(status)); err != nil {
		return nil, err
	}
	cmdline, err := folder.ReadFile("cmdline")
	if err != nil {
		return nil, err
	}
	// Each argument ends with a zero byte, also the last one and an empty one.
	if cmdline, ok := bytes.CutSuffix(cmdline, []byte{0}); ok {
		s.argv = strings.Split(string(cmdline), "\x00")
	}
	return s, nil
}

// parseStat reads the state, session and start: the fields 3, 6 and 22 of proc_pid_stat(5). Field 2
// is the name of the program in parentheses. The name can contain any character.
func (s *seen) parseStat(stat string) error {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return fmt.Errorf("parsing /proc/%d/stat: too few fields in %q", s.pid, stat)
	}
	s.zombie = fields[0] == "Z" || fields[0] == "X" || fields[0] == "x"
	s.stopped = fields[0] == "T"
	var err error
	if s.session, err = strconv.Atoi(fields[3]); err != nil {
		return fmt.Errorf("parsing the session in /proc/%d/stat: %w", s.pid, err)
	}
	if s.identity.Start, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		return fmt.Errorf("parsing the start in /proc/%d/stat: %w", s.pid, err)
	}
	return nil
}

func (s *seen) parseStatus(status string) error {
	_, rest, _ := strings.Cut(status, "\nUid:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return fmt.Errorf("parsing /proc/%d/status: no user", s.pid)
	}
	var err error
	if s.uid, err = strconv.Atoi(fields[0]); err != nil {
		return fmt.Errorf("parsing the user in /proc/%d/status: %w", s.pid, err)
	}
	return nil
}

func pids() ([]int, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	defer func() { _ = proc.Close() }() // It was only read.
	entries, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var found []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry); err == nil {
			found = append(found, pid)
		}
	}
	return found, nil
}

// signalGroup sends a signal through the handle of the leader to its whole group, even after the
// leader has ended. It returns errors.ErrUnsupported if the system is older than Linux 6.9.
func signalGroup(leader *os.Process, signal syscall.Signal) error {
	return withHandle(leader, func(handle int) error {
		err := unix.PidfdSendSignal(handle, signal, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
		switch {
		case errors.Is(err, unix.ESRCH):
			return nil // The group is empty.
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
			return errors.ErrUnsupported
		}
		return err
	})
}

// ended reports whether all threads of the process have ended, so that its open files and ports are
// free. In /proc the process may become a zombie earlier. It returns errors.ErrUnsupported if the
// system has no handles of processes.
func ended(leader *os.Process) (gone bool, err error) {
	err = withHandle(leader, func(handle int) error {
		poll := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		gone = n > 0
		if errors.Is(err, unix.EINTR) {
			return nil // The caller retries.
		}
		return err
	})
	return gone, err
}

func withHandle(leader *os.Process, f func(handle int) error) error {
	var err error
	handleErr := leader.WithHandle(func(handle uintptr) { err = f(int(handle)) })
	if errors.Is(handleErr, os.ErrNoHandle) {
		return errors.ErrUnsupported
	}
	return errors.Join(handleErr, err)
}
