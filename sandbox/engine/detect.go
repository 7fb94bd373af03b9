package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Probe is the image that Detect starts. Its program prints a Host as JSON.
type Probe struct {
	Name  string
	Write Archiver
}

// Search holds the options of Detect.
type Search struct {
	// Provider is the name of the engine. If it is empty or "auto", Detect uses
	// KIND_EXPERIMENTAL_PROVIDER, as kind does, or else the first of docker, podman and nerdctl
	// that works.
	Provider string
	// ContainersConf is the path for the settings that podman needs on hosts with few privileges.
	ContainersConf string
	// Probe is the image to start on each candidate.
	Probe Probe
}

// names are the engines in the order in which Detect tries them.
var names = []string{"docker", "podman", "nerdctl"}

// NoEngineError reports that no engine is usable.
type NoEngineError struct {
	// Tried contains the error of each engine by name.
	Tried map[string]error
}

// Error returns one line with the errors of all engines and the remedy.
func (e *NoEngineError) Error() string {
	var reasons []string
	for _, name := range names {
		if err := e.Tried[name]; err != nil {
			reasons = append(reasons, name+": "+err.Error())
		}
	}
	return "finding a container engine that can start privileged containers: " + strings.Join(reasons, "; ") + "; " + installHint
}

const installHint = "install Docker or podman (Debian or Ubuntu, as root: scripts/prerequisites.sh), start it, and retry"

// Detect returns an engine that can start a privileged container. It returns a *NoEngineError if it
// finds none.
func Detect(ctx context.Context, search Search) (*Engine, error) {
	candidates := names
	provider := search.Provider
	if provider == "" || provider == "auto" {
		provider = os.Getenv("KIND_EXPERIMENTAL_PROVIDER")
	}
	if provider != "" {
		if !slices.Contains(names, provider) {
			return nil, fmt.Errorf("choosing the container engine: unknown provider %q; use %s", provider, strings.Join(names, ", "))
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
	if name != "podman" || os.Getenv("CONTAINERS_CONF") != "" {
		return engine, first
	}
	if first == nil {
		err := engine.liftPIDs(search.ContainersConf)
		return engine, err
	}
	settings, err := hostSettings()
	if err == nil {
		err = writeContainersConf(search.ContainersConf, settings)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (adapting its settings to this host failed: %w)", first, err)
	}
	engine.ContainersConf = search.ContainersConf
	if err := engine.probe(ctx, search.Probe.Name, search.Probe.Write); err != nil {
		return nil, fmt.Errorf("%w (with limits for this host: %w)", first, err)
	}
	return engine, nil
}

// liftPIDs lets nodes have more processes and threads than podman's default.
func (e *Engine) liftPIDs(containersConf string) error {
	if e.Host.PIDs == 0 || e.Host.PIDs >= EnoughPIDs {
		return nil
	}
	if err := writeContainersConf(containersConf, nodeSettings()); err != nil {
		return err
	}
	e.ContainersConf, e.Host.PIDs = containersConf, 0
	return nil
}

// Use sets CONTAINERS_CONF in the environment of this process, because kind calls the engine with
// that environment.
func (e *Engine) Use() error {
	if e.ContainersConf == "" {
		return nil
	}
	if err := os.Setenv("CONTAINERS_CONF", e.ContainersConf); err != nil {
		return fmt.Errorf("setting CONTAINERS_CONF: %w", err)
	}
	return nil
}

// Installed reports whether PATH has the client of any container engine. If it has none, [Detect]
// fails without a probe.
func Installed() bool { return len(InstalledEngines()) > 0 }

// InstalledEngines returns the names of the engines with a client on PATH, in the order in which
// [Detect] tries them.
func InstalledEngines() []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, err := exec.LookPath(name); return err != nil })
}

// RunningEngines returns the installed engines that answer, whether or not they can start
// privileged containers.
func RunningEngines(ctx context.Context) []*Engine {
	var found []*Engine
	for _, name := range InstalledEngines() {
		engine := &Engine{Name: name}
		if _, err := engine.Run(ctx, Timeout, nil, "ps"); err == nil {
			found = append(found, engine)
		}
	}
	return found
}
