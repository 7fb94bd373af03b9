package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Timeouts of the sandbox's commands. A first up builds Kubernetes from source.
const (
	upLimit     = 40 * time.Minute
	downLimit   = 6 * time.Minute
	statusLimit = time.Minute
	buildLimit  = 15 * time.Minute
	exportLimit = 3 * time.Minute
)

// program is the sandbox's binary. It is built once and run directly, because go run does not
// forward signals and hides exit codes.
type program struct {
	path string
	root string // The root of the repository.
	// group is the process group of the commands. 0 is the group of this process.
	group int
	// env is the environment of the commands. Nil means the environment of this process.
	env []string
}

// programVariable names a sandbox program to use instead of building one from the repository, for
// machines without Go.
const programVariable = "E2E_SANDBOX"

// findProgram returns the program that the environment names, or builds it in a folder.
func findProgram(ctx context.Context, root, folder string) (*program, error) {
	path := os.Getenv(programVariable)
	if path == "" {
		return buildProgram(ctx, root, folder)
	}
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("finding the sandbox program: %s=%q must be an absolute path", programVariable, path)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("finding the sandbox program that %s names: %w", programVariable, err)
	}
	return &program{path: path, root: root}, nil
}

// buildProgram compiles the sandbox into a folder.
func buildProgram(ctx context.Context, root, folder string) (*program, error) {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	p := &program{path: filepath.Join(folder, "sandbox"), root: root}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", p.path, "./sandbox")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "TMPDIR="+folder) // An interrupted build leaves files there.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if output, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the sandbox program: %w\n%s", err, output)
	}
	return p, nil
}

// repositoryRoot returns the first folder with a go.work file, from the working directory upwards.
func repositoryRoot() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.work")); err == nil {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("finding the repository: no go.work in any folder above the working one")
		}
		folder = parent
	}
}

// command prepares a run of the sandbox. When ctx is cancelled, the sandbox receives SIGTERM first,
// so that it can clean up. Its output goes through pipes of this process, so that a closed reader
// does not end it with SIGPIPE.
func (p *program) command(ctx context.Context, log io.Writer, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Dir = p.root
	cmd.Env = p.env
	if p.group != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: p.group}
	}
	cmd.Stderr = ignoreErrors{log}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Minute
	return cmd
}

// ignoreErrors ignores write errors, so that a command without a reader of its progress continues.
type ignoreErrors struct{ out io.Writer }

func (w ignoreErrors) Write(data []byte) (int, error) {
	_, _ = w.out.Write(data)
	return len(data), nil
}

// up creates or repairs the sandbox. The arguments are appended to the command.
func (p *program) up(ctx context.Context, log io.Writer, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, upLimit)
	defer cancel()
	cmd := p.command(ctx, log, append([]string{"up"}, args...)...)
	cmd.Stdout = ignoreErrors{log}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running sandbox up: %w", errors.Join(err, ctx.Err()))
	}
	return nil
}

func (p *program) down(ctx context.Context, log io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, downLimit)
	defer cancel()
	cmd := p.command(ctx, log, "down")
	cmd.Stdout = ignoreErrors{log}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running sandbox down: %w", errors.Join(err, ctx.Err()))
	}
	return nil
}

// export writes the result of `sandbox export` to a folder. The command reports missing parts
// there.
func (p *program) export(ctx context.Context, folder string) error {
	ctx, cancel := context.WithTimeout(ctx, exportLimit)
	defer cancel()
	var said bytes.Buffer
	if err := p.command(ctx, &said, "export", folder).Run(); err != nil {
		return fmt.Errorf("running sandbox export: %w; output: %s", errors.Join(err, ctx.Err()), bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// status returns the status of the sandbox. It ignores the exit code, which is 1 unless the sandbox
// is up.
func (p *program) status(ctx context.Context) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := p.command(ctx, &stderr, "status", "-o", "json")
	cmd.Stdout = &stdout
	runErr := cmd.Run()
	status, err := parseStatus(stdout.Bytes())
	if err != nil {
		return Status{}, fmt.Errorf("running sandbox status: %w; output: %s", errors.Join(runErr, ctx.Err(), err), strings.TrimSpace(stderr.String()))
	}
	return status, nil
}
