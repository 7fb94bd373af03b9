package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// guardVariable makes a run of the test binary the guard; its value is the path
// of the sandbox program.
const guardVariable = "E2E_SANDBOX_GUARD"

// guardReady is what the guard prints once the sandbox is up. Anything else is
// why it isn't.
const guardReady = "up"

// guard owns a sandbox that the tests had brought up. It is a process of its own,
// the test binary once more: a test process that panics, runs into go test's
// time limit or is killed runs no deferred call, but the pipe that it holds is
// closed by the kernel, and that is when the guard takes the sandbox down.
type guard struct {
	cmd     *exec.Cmd
	release io.Closer
}

// startGuard starts the guard and waits until the sandbox is up.
func startGuard(ctx context.Context, p *program, log io.Writer) (*guard, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("starting the guard: %w", err)
	}
	// The end of the context must not kill the guard: it has to take down what it brought up.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Env = append(os.Environ(), guardVariable+"="+p.path)
	cmd.Dir = p.root
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
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the guard: %w", err)
	}
	g := &guard{cmd: cmd, release: stdin}
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case line := <-answer:
		if line == guardReady {
			return g, nil
		}
		return nil, errors.Join(fmt.Errorf("bringing the sandbox up: %s", line), g.stop())
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("bringing the sandbox up: %w", ctx.Err()), g.stop())
	}
}

// stop lets go of the sandbox and waits until it is down.
func (g *guard) stop() error {
	if err := g.release.Close(); err != nil {
		return fmt.Errorf("releasing the sandbox: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- g.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("taking the sandbox down: guard: %w", err)
		}
		return nil
	case <-time.After(downLimit + 3*time.Minute):
		return errors.New("taking the sandbox down: the guard does not end; run `make sandbox-down`")
	}
}

// isGuard gives the sandbox program's path where this process is a guard.
func isGuard() (path string, yes bool) { return os.LookupEnv(guardVariable) }

// runGuard is the guard's whole life. It gives the process's exit code.
func runGuard(p *program, input io.Reader, output, log io.Writer) int {
	// SIGTERM means the same as a closed pipe; the others are for the tests.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, input)
		cancel()
	}()
	upErr := p.up(ctx, log)
	if upErr == nil {
		fmt.Fprintln(output, guardReady)
		<-ctx.Done()
	} else {
		fmt.Fprintln(output, strings.ReplaceAll(upErr.Error(), "\n", "; "))
	}
	// What is left of a failed up goes too: nobody else knows that it is ours.
	if err := p.down(context.Background(), log); err != nil {
		fmt.Fprintln(log, "e2e:", err)
		return 1
	}
	if upErr != nil {
		return 1
	}
	return 0
}
