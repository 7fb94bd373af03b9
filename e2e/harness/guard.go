package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// Variables that make a run of the test binary something else than the tests.
const (
	// guardVariable makes it the guard; its value is the repository's root.
	guardVariable = "E2E_GUARD"
	// waiterVariable makes it what interrupted tests become until the guard has ended;
	// its value is the guard's process id and the signal's number.
	waiterVariable = "E2E_WAIT_FOR_GUARD"
)

// stopLimit bounds how long the guard may clean up.
const stopLimit = downLimit + restoreLimit + 3*time.Minute

// answer is what the guard prints, as a line of JSON, once the sandbox is up, or
// when that failed.
type answer struct {
	Folder  string `json:"folder,omitempty"`  // for temporary files
	Program string `json:"program,omitempty"` // the sandbox's
	Error   string `json:"error,omitempty"`
}

// guard has made whatever outlives a process: the folder of temporary files, the
// sandbox's program and, where none was up, the sandbox. It is a process of its own,
// the test binary once more: a test process that panics, runs into go test's
// time limit or is killed runs no deferred call, but the pipe that it holds is
// closed by the kernel, and that is when the guard cleans up.
type guard struct {
	cmd     *exec.Cmd
	release io.Closer
	answer
}

// startGuard starts the guard and waits until the sandbox is up.
func startGuard(ctx context.Context, root string, log io.Writer) (*guard, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("starting the guard: %w", err)
	}
	// The end of the context must not kill the guard: it has to clean up.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Env = append(os.Environ(), guardVariable+"="+root)
	cmd.Dir = root
	cmd.Stderr = log
	// Ctrl-C on a terminal goes to the whole group: the guard must outlive it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the guard: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the guard: %w", err)
	}
	// From before the guard is there: else a signal could leave nobody waiting for it.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the guard: %w", err)
	}
	go becomeWaiter(signals, self, cmd.Process.Pid)
	g := &guard{cmd: cmd, release: stdin}
	line := make(chan []byte, 1)
	go func() {
		said, _ := bufio.NewReader(stdout).ReadBytes('\n')
		line <- said
	}()
	select {
	case said := <-line:
		err = json.Unmarshal(said, &g.answer)
		if err == nil && g.Error != "" {
			err = errors.New(g.Error)
		}
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bringing the sandbox up: %w", err), g.stop())
	}
	return g, nil
}

// program is the sandbox's, for the tests. They make their temporary files where the
// guard removes them, and run the sandbox's commands in the guard's process group, so
// that it ends those that are left. What commands start must know nothing of that.
func (g *guard) program(root string) (*program, error) {
	env := os.Environ()
	if err := os.Setenv("TMPDIR", g.Folder); err != nil {
		return nil, fmt.Errorf("choosing the folder of temporary files: %w", err)
	}
	return &program{path: g.Program, root: root, group: g.cmd.Process.Pid, env: env}, nil
}

// stop lets go of the sandbox and waits until the guard has cleaned up.
func (g *guard) stop() error {
	if err := g.release.Close(); err != nil {
		return fmt.Errorf("releasing the sandbox: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- g.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("cleaning up: guard: %w", err)
		}
		return nil
	case <-time.After(stopLimit):
		return errors.New("cleaning up: the guard does not end; `make sandbox-status` says what is up, `make sandbox-down` takes it down")
	}
}

// becomeWaiter waits for a signal, and has this process become one that waits for
// the guard: that ends the tests at once, all of them, and lets go of the sandbox,
// and whoever sees this process end sees nothing left.
func becomeWaiter(signals <-chan os.Signal, self string, guard int) {
	number, _ := (<-signals).(syscall.Signal)
	fmt.Fprintf(os.Stderr, "\ne2e: %s: cleaning up\n", number)
	env := append(os.Environ(), fmt.Sprintf("%s=%d %d", waiterVariable, guard, int(number)))
	_ = syscall.Exec(self, os.Args[:1], env)
	os.Exit(128 + int(number)) // The guard does its work with nobody waiting.
}

// becomeGuard does not return where this process is the guard or waits for it. A
// package's TestMain calls it before anything else.
func becomeGuard() {
	if value, yes := os.LookupEnv(waiterVariable); yes {
		os.Exit(runWaiter(value))
	}
	if root, yes := os.LookupEnv(guardVariable); yes {
		os.Exit(runGuard(root, os.Stdin, os.Stdout, os.Stderr))
	}
}

// runWaiter gives the process's exit code when the guard, its child, has ended. A second
// signal ends it at once; the guard goes on.
func runWaiter(value string) int {
	var guard, number int
	if _, err := fmt.Sscan(value, &guard, &number); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: waiting for the guard: reading %s: %v\n", strconv.Quote(value), err)
		return 1
	}
	for {
		_, err := syscall.Wait4(guard, nil, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			return 128 + number // What went wrong, the guard has said.
		}
	}
}
