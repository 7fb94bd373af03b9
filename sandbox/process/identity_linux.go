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
)

// bootID is new with each boot. Some sandboxes that are no full Linux have none.
var bootID = sync.OnceValues(func() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(id)), err
})

// look returns what runs as pid now, or nil if nothing does. All is read below one open folder: its files end with the process,
// and never turn into those of another with the same pid.
func look(pid int) (*seen, error) {
	s, err := read(pid)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return nil, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil // Another user's, on a system that hides those.
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
	// Each argument ends with a zero byte, the last and an empty one too.
	if cmdline, ok := bytes.CutSuffix(cmdline, []byte{0}); ok {
		s.argv = strings.Split(string(cmdline), "\x00")
	}
	return s, nil
}

// parseStat reads state, session and start: the fields 3, 6 and 22 of proc_pid_stat(5). Field 2 is the program's name in
// parentheses, which may itself hold any character.
func (s *seen) parseStat(stat string) error {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return fmt.Errorf("/proc/%d/stat is %q", s.pid, stat)
	}
	s.zombie = fields[0] == "Z" || fields[0] == "X" || fields[0] == "x"
	s.stopped = fields[0] == "T"
	var err error
	if s.session, err = strconv.Atoi(fields[3]); err != nil {
		return fmt.Errorf("the session in /proc/%d/stat: %w", s.pid, err)
	}
	if s.identity.Start, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		return fmt.Errorf("the start in /proc/%d/stat: %w", s.pid, err)
	}
	return nil
}

// parseStatus reads the real user.
func (s *seen) parseStatus(status string) error {
	_, rest, _ := strings.Cut(status, "\nUid:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return fmt.Errorf("/proc/%d/status names no user", s.pid)
	}
	var err error
	if s.uid, err = strconv.Atoi(fields[0]); err != nil {
		return fmt.Errorf("the user in /proc/%d/status: %w", s.pid, err)
	}
	return nil
}

// pids lists all processes.
func pids() ([]int, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing the processes: %w", err)
	}
	defer func() { _ = proc.Close() }() // It was only read.
	entries, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("listing the processes: %w", err)
	}
	var found []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry); err == nil {
			found = append(found, pid)
		}
	}
	return found, nil
}
