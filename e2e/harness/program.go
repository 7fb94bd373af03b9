package harness

import (
	"bytes"
	"context"
	"encoding/json"
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

// Status is what `sandbox status -o json` says, as far as the tests need it.
type Status struct {
	Name       string `json:"name"`
	State      string `json:"state"`
	Cluster    string `json:"cluster"`
	Provider   string `json:"provider"`
	Images     string `json:"images"`
	Kubeconfig string `json:"kubeconfig"`
	Node       struct {
		Image      string `json:"image"`
		Kubernetes string `json:"kubernetes"`
		Runtime    string `json:"runtime"`
	} `json:"node"`
	Jaeger struct {
		UI    string `json:"ui"`
		Query string `json:"query"`
	} `json:"jaeger"`
	Components []struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		Ready   bool   `json:"ready"`
		Message string `json:"message"`
	} `json:"components"`
}

// The states of a sandbox.
const (
	StateUp       = "up"
	StateDown     = "down"
	StateDegraded = "degraded"
)

// Limits of the sandbox's commands. A cold up builds Kubernetes from source.
const (
	upLimit     = 40 * time.Minute
	downLimit   = 6 * time.Minute
	statusLimit = time.Minute
	buildLimit  = 15 * time.Minute
)

// program is the sandbox's binary. It is built once and run directly: go run
// passes no signals on and hides exit codes.
type program struct {
	path string
	root string // of the repository
}

// buildProgram compiles the sandbox into a folder.
func buildProgram(ctx context.Context, root, folder string) (*program, error) {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	p := &program{path: filepath.Join(folder, "sandbox"), root: root}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", p.path, "./sandbox")
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the sandbox program: %w\n%s", err, output)
	}
	return p, nil
}

// repositoryRoot is the first folder from the working one upwards with the
// workspace file.
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

// command prepares a run of the sandbox. The end of the context is a SIGTERM
// first, so that the sandbox can tidy up. Output goes through pipes of this
// process, so that nobody dies of a reader who has left.
func (p *program) command(ctx context.Context, log io.Writer, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Dir = p.root
	cmd.Stderr = ignoreErrors{log}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Minute
	return cmd
}

// ignoreErrors keeps a child alive whose progress nobody reads any more.
type ignoreErrors struct{ out io.Writer }

func (w ignoreErrors) Write(data []byte) (int, error) {
	_, _ = w.out.Write(data)
	return len(data), nil
}

func (p *program) up(ctx context.Context, log io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, upLimit)
	defer cancel()
	cmd := p.command(ctx, log, "up")
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

// status asks the sandbox. Its exit code is 1 unless it is up, so only what it
// printed counts.
func (p *program) status(ctx context.Context) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := p.command(ctx, &stderr, "status", "-o", "json")
	cmd.Stdout = &stdout
	runErr := cmd.Run()
	status, err := parseStatus(stdout.Bytes())
	if err != nil {
		return Status{}, fmt.Errorf("running sandbox status: %w; it says: %s", errors.Join(runErr, ctx.Err(), err), strings.TrimSpace(stderr.String()))
	}
	return status, nil
}

func parseStatus(data []byte) (Status, error) {
	var status Status
	if err := json.Unmarshal(data, &status); err != nil {
		return Status{}, fmt.Errorf("decoding the status %q: %w", data, err)
	}
	switch status.State {
	case StateUp, StateDown, StateDegraded:
		return status, nil
	}
	return Status{}, fmt.Errorf("unknown state %q", status.State)
}

// describe says in one line what the tests run on.
func (s Status) describe() string {
	return fmt.Sprintf("%s cluster %s on %s, images from %s, Kubernetes %s on %s, Jaeger at %s",
		s.Cluster, s.Name, s.Provider, s.Images, s.Node.Kubernetes, s.Node.Runtime, s.Jaeger.UI)
}

// check compares the sandbox with what the environment names, so that a run in
// CI can't pass on another engine, another runtime or other images than it says.
func (s Status) check(env func(string) string) error {
	var problems []error
	provider, images := env("SANDBOX_PROVIDER"), env("SANDBOX_IMAGES")
	if provider == "auto" && env("CI") != "" {
		problems = append(problems, errors.New("CI runs with SANDBOX_PROVIDER=auto: it must name its engine"))
	}
	if provider != "" && provider != "auto" && provider != s.Provider {
		problems = append(problems, fmt.Errorf("SANDBOX_PROVIDER names %s, the sandbox runs on %s", provider, s.Provider))
	}
	if images != "" && images != "auto" && images != s.Images {
		problems = append(problems, fmt.Errorf("SANDBOX_IMAGES names %s, the images came from %s", images, s.Images))
	}
	if s.Cluster == "kind" && !strings.HasPrefix(s.Node.Runtime, "containerd://") {
		problems = append(problems, fmt.Errorf("the node reports the runtime %q, want containerd", s.Node.Runtime))
	}
	for what, value := range map[string]string{"kubeconfig": s.Kubeconfig, "address of Jaeger's query API": s.Jaeger.Query} {
		if value == "" {
			problems = append(problems, fmt.Errorf("the sandbox's status has no %s", what))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("checking the sandbox: %w", errors.Join(problems...))
	}
	return nil
}
