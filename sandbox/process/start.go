package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// start runs the program of spec. It writes the record with save twice: before the start, and when
// the process id is known.
func (t Table) start(spec Spec, save func(record) error) (*Process, error) {
	for _, folder := range []string{t.Records, t.Logs} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("starting %s: creating its folder: %w", spec.Name, err)
		}
	}
	log, size, err := t.openLog(spec.Name)
	if err != nil {
		return nil, fmt.Errorf("starting %s: opening its log: %w", spec.Name, err)
	}
	defer func() { _ = log.Close() }() // Nothing was written through this handle.
	r := record{Spec: spec, Started: time.Now(), LogStart: size}
	if err := save(r); err != nil {
		return nil, err
	}
	child, err := t.spawn(spec, log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", spec.Name, err), t.forget(spec.Name))
	}
	// The child keeps its process id until it is reaped, even if it has ended already.
	s, err := firstLook(child.Pid)
	if err != nil {
		abort(child)
		return nil, errors.Join(fmt.Errorf("starting %s, process %d: %w", spec.Name, child.Pid, err), t.forget(spec.Name))
	}
	r.PID, r.Identity = child.Pid, s.identity
	if err := save(r); err != nil {
		abort(child)
		return nil, errors.Join(fmt.Errorf("stopped %s again: %w", spec.Name, err), t.forget(spec.Name))
	}
	// The goroutine ends with the child or with this command. The log contains the reason for the
	// child's exit.
	go func() { _, _ = child.Wait() }()
	return r.process(s), nil
}

// firstLook inspects a child that was just started until the system shows its arguments. The system
// reports the start of the program earlier; a search by arguments at that moment would not find the
// process.
func firstLook(pid int) (*seen, error) {
	for deadline := time.Now().Add(firstLookLimit); ; {
		s, err := look(pid)
		switch {
		case err != nil:
			return nil, err
		case s == nil:
			return nil, errors.New("the system does not list it")
		case len(s.argv) > 0 || s.zombie:
			return s, nil
		case time.Now().After(deadline):
			return nil, fmt.Errorf("the system does not show its arguments after %s", firstLookLimit)
		}
		<-time.After(time.Millisecond)
	}
}

// firstLookLimit is much longer than the system needs, even under high load.
const firstLookLimit = 10 * time.Second

// spawn starts the program. The child inherits only the null device and the log.
func (t Table) spawn(spec Spec, log *os.File) (*os.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }() // It was not written to.
	if err := keepFilesBack(); err != nil {
		return nil, err
	}
	return os.StartProcess(spec.Path, spec.argv(), &os.ProcAttr{
		Dir:   filepath.Dir(t.Records),
		Env:   append([]string{}, spec.Env...), // With nil the child would inherit the environment.
		Files: []*os.File{null, log, log},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}

// keepFilesBack sets close-on-exec on all open files except the standard three. Go sets it on the
// files that it opens. Files that this command inherited from a shell or from make do not have it:
// without this function, the reader of such a pipe would wait until the last process of the sandbox
// ends.
func keepFilesBack() error {
	folder, err := os.Open("/dev/fd")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // A minimal /dev. The only effect is the one described above.
	}
	if err != nil {
		return fmt.Errorf("listing the open files: %w", err)
	}
	defer func() { _ = folder.Close() }() // It was only read.
	entries, err := folder.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("listing the open files: %w", err)
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

// abort kills the group of a child that was just started, and reaps the child.
func abort(child *os.Process) {
	_ = syscall.Kill(-child.Pid, syscall.SIGKILL) // It may have ended already.
	_, _ = child.Wait()
}
