package up

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Module is the path of the repository's root module, by which its folder is found.
const Module = "github.com/operator-tracing/sandbox"

// Options are what a user may choose about a sandbox. The zero value of a field is its default.
type Options struct {
	// Name is the cluster's name; default "operator-tracing".
	Name string
	// StateDir is the sandbox's folder; default state.DefaultPath(Name).
	StateDir string
	// Source is the repository's root; default the folder above the working folder that has its go.mod.
	Source string
	// Provider is docker, podman, nerdctl, or auto.
	Provider string
	// Images is registry, source, or auto: a registry if one answers.
	Images string
	// Ports are Jaeger's on 127.0.0.1; a zero takes the usual one, or any other if that is taken.
	Ports state.Ports
	// Timeout bounds the whole of up; default 40 minutes, as a first build takes half of that.
	Timeout time.Duration
}

// Defaults.
const (
	DefaultName    = "operator-tracing"
	DefaultTimeout = 40 * time.Minute
)

// imageOrigins are the values of Options.Images.
var imageOrigins = []string{"auto", "registry", "source"}

// complete fills in defaults and finds mistakes.
func (o Options) complete() (Options, error) {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.Images == "" {
		o.Images = "auto"
	}
	if !slices.Contains(imageOrigins, o.Images) {
		return o, fmt.Errorf("reading options: --images=%s: use %s", o.Images, strings.Join(imageOrigins, ", "))
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	var err error
	if o.StateDir == "" {
		if o.StateDir, err = state.DefaultPath(o.Name); err != nil {
			return o, err
		}
	}
	return o, cluster.ValidName(o.Name)
}

// findSource returns the repository's root: folder, or the first above it whose go.mod names the module.
func findSource(folder string) (string, error) {
	start, err := filepath.Abs(folder)
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && modfile.ModulePath(data) == Module {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("finding the repository: %s is not inside it; change into it, or name it by --source", start)
		}
	}
}
