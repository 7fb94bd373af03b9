package process

import (
	"errors"
	"fmt"

	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"
)

// SSTOP and SZOMB of the system's sys/proc.h.
const (
	stoppedState = 4
	zombieState  = 5
)

// look returns what runs as pid now, or nil if nothing does.
func look(pid int) (*seen, error) {
	before, err := kernel(pid)
	if before == nil || err != nil {
		return nil, err
	}
	if before.zombie {
		return before, nil // It has no arguments and no session any more.
	}
	argv, argvErr := (&process.Process{Pid: int32(pid)}).CmdlineSlice()
	session, sessionErr := unix.Getsid(pid)
	// The three were read one after the other: they are of one process only if it is still there.
	after, err := kernel(pid)
	if after == nil || err != nil {
		return nil, err
	}
	if after.identity != before.identity {
		return nil, nil // The one that was asked for has ended.
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

// kernel returns what the process table holds of pid, or nil.
func kernel(pid int) (*seen, error) {
	// The slice's call, unlike the one for a single process, gives no error for a pid that does not run.
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

// pids lists all processes.
func pids() ([]int, error) {
	entries, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, fmt.Errorf("listing the processes: %w", err)
	}
	var found []int
	for _, entry := range entries {
		found = append(found, int(entry.Proc.P_pid))
	}
	return found, nil
}
