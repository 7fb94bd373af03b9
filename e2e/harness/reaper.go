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

// Variables with which the test binary runs as another process than the tests.
const (
	// reaperVariable selects the reaper. Its value is the repository's root.
	reaperVariable = "E2E_REAPER"
	// waiterVariable selects the process that interrupted tests become until the reaper has ended.
	// Its value is the reaper's process id and the signal's number.
	waiterVariable = "E2E_WAIT_FOR_REAPER"
)

// stopLimit is the timeout of the reaper's cleanup.
const stopLimit = downLimit + restoreLimit + 3*time.Minute

// answer is the reaper's output, a line of JSON, after the sandbox is up or has failed.
type answer struct {
	Folder  string `json:"folder,omitempty"`  // The folder of temporary files.
	Program string `json:"program,omitempty"` // The sandbox's program.
	Error   string `json:"error,omitempty"`
}

// reaper creates everything that outlives a process: the folder of temporary files, the sandbox's
// program and, if none runs, the sandbox. It is another process of the test binary. A test process
// that panics, times out or is killed runs no deferred call, but the kernel closes its pipe. The
// reaper then cleans up.
type reaper struct {
	cmd     *exec.Cmd
	release io.Closer
	answer
}

// startReaper starts the reaper and waits until the sandbox is up.
func startReaper(ctx context.Context, root string, log io.Writer) (*reaper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("starting the reaper: %w", err)
	}
	// The cancellation of the context must not kill the reaper, which has to clean up.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Env = append(os.Environ(), reaperVariable+"="+root)
	cmd.Dir = root
	cmd.Stderr = log
	// Ctrl-C on a terminal reaches the whole process group. The reaper must outlive it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the reaper: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the reaper: %w", err)
	}
	// Register before the reaper starts. Otherwise a signal could end this process without a wait
	// for the reaper.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the reaper: %w", err)
	}
	go becomeWaiter(signals, self, cmd.Process.Pid)
	g := &reaper{cmd: cmd, release: stdin}
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

// program returns the sandbox's program for the tests. It creates temporary files where the reaper
// removes them, and runs the sandbox's commands in the reaper's process group, so that the reaper can
// end them. These commands must not inherit the reaper's variables.
func (g *reaper) program(root string) (*program, error) {
	env := os.Environ()
	if err := os.Setenv("TMPDIR", g.Folder); err != nil {
		return nil, fmt.Errorf("choosing the folder of temporary files: %w", err)
	}
	return &program{path: g.Program, root: root, group: g.cmd.Process.Pid, env: env}, nil
}

// stop releases the sandbox and waits until the reaper has cleaned up.
func (g *reaper) stop() error {
	if err := g.release.Close(); err != nil {
		return fmt.Errorf("releasing the sandbox: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- g.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("cleaning up: reaper: %w", err)
		}
		return nil
	case <-time.After(stopLimit):
		return errors.New("cleaning up: the reaper does not end; run `make sandbox-status`, then `make sandbox-down`")
	}
}

// becomeWaiter waits for a signal, and replaces this process with one that waits for the reaper.
// That ends all tests at once and releases the sandbox. When the process exits, nothing remains.
func becomeWaiter(signals <-chan os.Signal, self string, reaper int) {
	number, _ := (<-signals).(syscall.Signal)
	fmt.Fprintf(os.Stderr, "\ne2e: %s: cleaning up\n", number)
	env := append(os.Environ(), fmt.Sprintf("%s=%d %d", waiterVariable, reaper, int(number)))
	_ = syscall.Exec(self, os.Args[:1], env)
	os.Exit(128 + int(number)) // The reaper cleans up without a waiting process.
}

// becomeReaper does not return if this process is the reaper or waits for it. TestMain of a package
// must call it first.
func becomeReaper() {
	if value, yes := os.LookupEnv(waiterVariable); yes {
		os.Exit(runWaiter(value))
	}
	if root, yes := os.LookupEnv(reaperVariable); yes {
		os.Exit(runReaper(root, os.Stdin, os.Stdout, os.Stderr))
	}
}

// runWaiter waits for the end of the reaper, its child, and returns the exit code of the process. A
// second signal ends the wait immediately, but not the reaper.
func runWaiter(value string) int {
	var reaper, number int
	if _, err := fmt.Sscan(value, &reaper, &number); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: waiting for the reaper: reading %s: %v\n", strconv.Quote(value), err)
		return 1
	}
	for {
		_, err := syscall.Wait4(reaper, nil, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			return 128 + number // The reaper printed its errors.
		}
	}
}
