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

// start runs spec's program and writes its record with save: once before it runs, and once when its process id is known.
func (t Table) start(spec Spec, save func(record) error) (*Process, error) {
	for _, folder := range []string{t.Records, t.Logs} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("starting %s: making its folder: %w", spec.Name, err)
		}
	}
	log, size, err := t.openLog(spec.Name)
	if err != nil {
		return nil, fmt.Errorf("starting %s: opening its log: %w", spec.Name, err)
	}
	defer func() { _ = log.Close() }() // Nothing was written through it.
	r := record{Spec: spec, Started: time.Now(), LogStart: size}
	if err := save(r); err != nil {
		return nil, err
	}
	child, err := t.spawn(spec, log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", spec.Name, err), t.forget(spec.Name))
	}
	// Until it is reaped, the child keeps its process id, even if it has ended already.
	s, err := firstLook(child.Pid)
	if err != nil {
		abort(child)
		return nil, errors.Join(fmt.Errorf("starting %s, process %d: %w", spec.Name, child.Pid, err), t.forget(spec.Name))
	}
	r.PID, r.Identity = child.Pid, s.identity
	if err := save(r); err != nil {
		abort(child)
		return nil, errors.Join(fmt.Errorf("%s was stopped again: %w", spec.Name, err), t.forget(spec.Name))
	}
	// The goroutine ends with the child, or with this command. How the child ended stands in its log.
	go func() { _, _ = child.Wait() }()
	return r.process(s), nil
}

// firstLook looks at a child that was just started until the system shows its arguments. That its program was begun is known a
// moment sooner, and who looked for it by its arguments then would take it for dead.
func firstLook(pid int) (*seen, error) {
	for deadline := time.Now().Add(firstLookLimit); ; {
		s, err := look(pid)
		switch {
		case err != nil:
			return nil, err
		case s == nil:
			return nil, errors.New("the system does not show it")
		case len(s.argv) > 0 || s.zombie:
			return s, nil
		case time.Now().After(deadline):
			return nil, fmt.Errorf("the system does not show its arguments, after %s", firstLookLimit)
		}
		<-time.After(time.Millisecond)
	}
}

// firstLookLimit is much more than the system needs, even with a load that delays everything.
const firstLookLimit = 10 * time.Second

// spawn starts the program with nothing of this command's but the null device and the log.
func (t Table) spawn(spec Spec, log *os.File) (*os.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }() // It was only opened.
	if err := keepFilesBack(); err != nil {
		return nil, err
	}
	return os.StartProcess(spec.Path, spec.argv(), &os.ProcAttr{
		Dir:   filepath.Dir(t.Records),
		Env:   append([]string{}, spec.Env...), // nil would be this command's own.
		Files: []*os.File{null, log, log},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}

// keepFilesBack marks all open files but the standard three as not to be inherited. What Go opens is so marked anyway; what this
// command was itself given by a shell or by make is not, and a reader of such a pipe would wait until the last of our processes ends.
func keepFilesBack() error {
	folder, err := os.Open("/dev/fd")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // A bare /dev; then nothing is lost but what is said above.
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

// abort ends a child that was just started and not reaped yet, with its group.
func abort(child *os.Process) {
	_ = syscall.Kill(-child.Pid, syscall.SIGKILL) // It may have ended by itself.
	_, _ = child.Wait()
}
