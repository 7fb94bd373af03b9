package process

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// signalGroup sends a signal through the leader's handle to all of its group, also when the leader has ended. It gives
// errors.ErrUnsupported where the system is older than Linux 6.9.
func signalGroup(leader *os.Process, signal syscall.Signal) error {
	return withHandle(leader, func(handle int) error {
		err := unix.PidfdSendSignal(handle, signal, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
		switch {
		case errors.Is(err, unix.ESRCH):
			return nil // Nobody is left.
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
			return errors.ErrUnsupported
		}
		return err
	})
}

// ended tells whether all threads of the process have ended, and with them its open files and ports are free. A look at /proc
// may show a zombie sooner. It gives errors.ErrUnsupported where there are no handles.
func ended(leader *os.Process) (gone bool, err error) {
	err = withHandle(leader, func(handle int) error {
		poll := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		gone = n > 0
		if errors.Is(err, unix.EINTR) {
			return nil // It is asked again soon.
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
