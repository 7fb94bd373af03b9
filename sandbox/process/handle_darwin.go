package process

import (
	"errors"
	"os"
	"syscall"
)

// signalGroup and ended need handles of processes, which macOS has not.
func signalGroup(*os.Process, syscall.Signal) error { return errors.ErrUnsupported }

func ended(*os.Process) (bool, error) { return false, errors.ErrUnsupported }
