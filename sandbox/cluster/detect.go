package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Probe is the image that Detect starts: its program prints a Host as JSON. For may be asked for several architectures.
type Probe struct {
	Name  string
	Write Archiver
}

// Search is what Detect looks for.
type Search struct {
	// Provider is the engine to use; empty or "auto" means KIND_EXPERIMENTAL_PROVIDER, as for kind, and then the
	// first that works of docker, podman and nerdctl.
	Provider string
	// ContainersConf is where to write the settings that podman needs on hosts with few rights.
	ContainersConf string
	// Probe is started on each candidate.
	Probe Probe
}

// NoEngineError says why no engine could be used, engine by engine, and how to get one.
type NoEngineError struct {
	// Tried holds a reason for each engine, by name.
	Tried map[string]error
}

// Error is one line.
func (e *NoEngineError) Error() string {
	var reasons []string
	for _, name := range engines {
		if err := e.Tried[name]; err != nil {
			reasons = append(reasons, name+": "+err.Error())
		}
	}
	return "finding a container engine that can start privileged containers: " + strings.Join(reasons, "; ") + ". " + installHint
}

const installHint = "Install Docker or podman (Debian or Ubuntu, as root: scripts/prerequisites.sh), start it, and run this again"

// Detect returns an engine in which a privileged container starts. The error is a *NoEngineError where none is found.
func Detect(ctx context.Context, search Search) (*Engine, error) {
	candidates := engines
	provider := search.Provider
	if provider == "" || provider == "auto" {
		provider = os.Getenv("KIND_EXPERIMENTAL_PROVIDER")
	}
	if provider != "" {
		if !slices.Contains(engines, provider) {
			return nil, fmt.Errorf("choosing the container engine: unknown provider %q; use %s", provider, strings.Join(engines, ", "))
		}
		candidates = []string{provider}
	}
	tried := map[string]error{}
	for _, name := range candidates {
		engine, err := try(ctx, name, search)
		if err == nil {
			return engine, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		tried[name] = err
	}
	return nil, &NoEngineError{Tried: tried}
}

func try(ctx context.Context, name string, search Search) (*Engine, error) {
	if _, err := exec.LookPath(name); err != nil {
		return nil, errors.New("not installed")
	}
	engine := &Engine{Name: name}
	first := engine.probe(ctx, search.Probe.Name, search.Probe.Write)
	if first == nil || name != "podman" || os.Getenv("CONTAINERS_CONF") != "" {
		return engine, first
	}
	if err := writeContainersConf(search.ContainersConf); err != nil {
		return nil, fmt.Errorf("%w (and its settings could not be adapted to this host: %w)", first, err)
	}
	engine.ContainersConf = search.ContainersConf
	if err := engine.probe(ctx, search.Probe.Name, search.Probe.Write); err != nil {
		return nil, fmt.Errorf("%w (and with limits that fit this host: %w)", first, err)
	}
	return engine, nil
}

// Use makes kind, which calls the engine with this process's environment, use the same settings.
func (e *Engine) Use() error {
	if e.ContainersConf == "" {
		return nil
	}
	if err := os.Setenv("CONTAINERS_CONF", e.ContainersConf); err != nil {
		return fmt.Errorf("setting CONTAINERS_CONF: %w", err)
	}
	return nil
}

// Installed tells whether any container engine's client is on PATH: where none is, [Detect] needs no probe to say so.
func Installed() bool { return len(InstalledEngines()) > 0 }

// InstalledEngines are the container engines whose clients are on PATH, in the order in which [Detect] tries them.
func InstalledEngines() []string {
	var found []string
	for _, name := range engines {
		if _, err := exec.LookPath(name); err == nil {
			found = append(found, name)
		}
	}
	return found
}
