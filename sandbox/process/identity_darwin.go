package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"
)

// SSTOP and SZOMB in sys/proc.h.
const (
	stoppedState = 4
	zombieState  = 5
)

// look returns the process that has pid now, or nil.
func look(pid int) (*seen, error) {
	before, err := kernel(pid)
	if before == nil || err != nil {
		return nil, err
	}
	if before.zombie {
		return before, nil // A zombie has neither arguments nor a session.
	}
	argv, argvErr := (&process.Process{Pid: int32(pid)}).CmdlineSlice()
	session, sessionErr := unix.Getsid(pid)
	// The three calls are not atomic. They describe one process only if it still exists.
	after, err := kernel(pid)
	if after == nil || err != nil {
		return nil, err
	}
	if after.identity != before.identity {
		return nil, nil // The process has ended, and its pid was reused.
	}
	if after.zombie {
		return after, nil
	}
	if err := errors.Join(argvErr, sessionErr); err != nil {
		return nil, fmt.Errorf("reading the arguments of process %d: %w", pid, err)
	}
	after.argv, after.session = argv, session
	return after, nil
}

// kernel returns the entry of pid in the process table, or nil.
func kernel(pid int) (*seen, error) {
	// Unlike the call for a single process, this one returns no error for a pid that does not run.
	entries, err := unix.SysctlKinfoProcSlice("kern.proc.pid", pid)
	if err != nil {
		return nil, fmt.Errorf("reading the process table: %w", err)
	}
	if len(entries) == 0 || int(entries[0].Proc.P_pid) != pid {
		return nil, nil
	}
	entry := entries[0]
	return &seen{
		pid:      pid,
		identity: identity{Start: uint64(entry.Proc.P_starttime.Sec)*1e6 + uint64(entry.Proc.P_starttime.Usec)},
		uid:      int(entry.Eproc.Pcred.P_ruid),
		zombie:   entry.Proc.P_stat == zombieState,
		stopped:  entry.Proc.P_stat == stoppedState,
	}, nil
}

func pids() ([]int, error) {
	entries, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var found []int
	for _, entry := range entries {
		found = append(found, int(entry.Proc.P_pid))
	}
	return found, nil
}

// signalGroup and ended need handles of processes, which macOS does not have.
func signalGroup(*os.Process, syscall.Signal) error { return errors.ErrUnsupported }

func ended(*os.Process) (bool, error) { return false, errors.ErrUnsupported }
