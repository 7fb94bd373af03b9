package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/near"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Module is the path of the repository's root module, by which its folder is found.
const Module = "github.com/operator-tracing/sandbox"

// Options are what a user may choose about a sandbox. The zero value of a field is its default.
type Options struct {
	// Name is the cluster's name; default that of the sandbox in StateDir or, where there is none, "operator-tracing".
	Name string
	// StateDir is the sandbox's folder; default state.DefaultPath(Name).
	StateDir string
	// Source is the repository's root; default the folder above the working folder that has its go.mod.
	Source string
	// File is the sandbox.yaml of the operator to run; default that of the operator that runs, or the reference operator's.
	File string
	// Cluster is kind, embedded, existing, or auto: kind where a container engine works, embedded elsewhere.
	Cluster string
	// Provider is docker, podman, nerdctl, or auto.
	Provider string
	// Images is registry, source, or auto: a registry if one answers.
	Images string
	// Bundle is a file that images come from, see package bundle; empty for none.
	Bundle string
	// RegistryMirror is a registry that stands for all others, see artifact.NewMirror; empty for none.
	RegistryMirror string
	// RegistryPins is a file with the digests of a mirror's own images; empty for those that the sandbox was compiled with.
	RegistryPins string
	// Ports are Jaeger's on 127.0.0.1; a zero takes the usual one, or any other if that is taken.
	Ports component.Ports
	// Context is that of an existing cluster in the user's kubeconfig; empty for the one that the sandbox is on.
	Context string
	// Kubeconfig is the file that has Context; default what kubectl reads.
	Kubeconfig string
	// Registry is a folder of a registry that images are pushed to for an existing cluster; empty for none.
	Registry string
	// JaegerEndpoint is where a Jaeger of the user's takes OTLP over gRPC, as an existing cluster sees it: HOST:PORT; empty for the
	// sandbox's own Jaeger.
	JaegerEndpoint string
	// JaegerQuery is where that Jaeger is asked, as this machine sees it: an http or https URL; empty if it can't be.
	JaegerQuery string
	// JaegerConfig is a file with a configuration of Jaeger's; NoJaegerConfig is the sandbox's own, and empty leaves it as it is.
	JaegerConfig string
	// OperatorReplicas is how many Pods the operator has; zero leaves it as it is, and a new one to its manifests.
	OperatorReplicas int
	// OperatorEnv are environment variables of the operator, as NAME=VALUE, added to its own or replacing them.
	OperatorEnv []string
	// ControlPlaneTracing tells whether the API server and etcd take part in the traces; nil leaves a sandbox that is up as it is, and
	// a new one without.
	ControlPlaneTracing *bool
	// Timeout bounds the whole of up; default 40 minutes, as a first build takes half of that.
	Timeout time.Duration
}

// Defaults.
const (
	DefaultName    = "operator-tracing"
	DefaultTimeout = 40 * time.Minute
)

// The values of Options.Cluster, Options.Images and Options.Provider.
var (
	clusters     = []string{"auto", component.Kind, component.Embedded, component.Existing}
	imageOrigins = []string{"auto", "registry", "source"}
	providers    = []string{"auto", "docker", "podman", "nerdctl"}
)

// ErrOption says that an option has a value that can't be. It begins the error of [Open], which goes on with the option.
var ErrOption = errors.New("reading options")

// Complete fills in defaults and finds mistakes: before anything long begins.
func (o Options) Complete() (Options, error) {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.Images == "" {
		o.Images = "auto"
	}
	if o.Provider == "" {
		o.Provider = "auto"
	}
	if o.Cluster == "" {
		o.Cluster = "auto"
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if err := o.check(); err != nil {
		return o, fmt.Errorf("%w: %w", ErrOption, err)
	}
	if o.File != "" {
		if _, err := project.Load(o.File); err != nil {
			return o, err // It names the place in the file.
		}
	}
	var err error
	if o.StateDir == "" {
		o.StateDir, err = state.DefaultPath(o.Name)
	}
	return o, err
}

// notAmong is about an option that has none of its values.
func notAmong(flag, value string, values []string) error {
	return fmt.Errorf("%s=%s: use %s%s", flag, value, strings.Join(values, ", "), near.Hint(value, values))
}

// check finds values that can't be.
func (o Options) check() error {
	if err := cluster.ValidName(o.Name); err != nil {
		return err
	}
	if !slices.Contains(clusters, o.Cluster) {
		return notAmong("--cluster", o.Cluster, clusters)
	}
	if !slices.Contains(imageOrigins, o.Images) {
		return notAmong("--images", o.Images, imageOrigins)
	}
	if !slices.Contains(providers, o.Provider) {
		return notAmong("--provider", o.Provider, providers)
	}
	if o.Cluster == component.Embedded && o.Images == "registry" {
		return errors.New("--cluster=embedded --images=registry: an embedded cluster runs programs, which are built from source")
	}
	if o.Cluster == component.Embedded && o.Provider != "auto" {
		return fmt.Errorf("--cluster=embedded --provider=%s: an embedded cluster needs no container engine", o.Provider)
	}
	if err := o.checkExisting(); err != nil {
		return err
	}
	if err := o.checkMirror(); err != nil {
		return err
	}
	if err := o.checkBundle(); err != nil {
		return err
	}
	for _, variable := range o.OperatorEnv {
		if name, _, found := strings.Cut(variable, "="); !found || name == "" {
			return fmt.Errorf("--operator-env=%s: use NAME=VALUE", variable)
		}
	}
	if o.Timeout < 0 {
		return fmt.Errorf("--timeout=%s: use a time above 0, 40m say", o.Timeout)
	}
	seen := map[int]string{}
	for _, p := range component.AllPorts() {
		number := o.Ports[p.Name]
		if number < 0 || number > 65535 {
			return fmt.Errorf("--%s=%d: use a port from 1 to 65535", p.Flag, number)
		}
		if other := seen[number]; other != "" && number != 0 {
			return fmt.Errorf("--%s=%d: --%s is the same", p.Flag, number, other)
		}
		seen[number] = p.Flag
	}
	return nil
}

// checkMirror reads the mirror's address and pins, for the mistakes in them.
func (o Options) checkMirror() error {
	switch {
	case o.RegistryMirror == "" && o.RegistryPins == "":
		return nil
	case o.RegistryMirror == "":
		return fmt.Errorf("--registry-pins=%s: it is about a mirror: name that by --registry-mirror", o.RegistryPins)
	case o.Images == "source":
		return fmt.Errorf("--images=source --registry-mirror=%s: what is built from source is not pulled", o.RegistryMirror)
	case o.Cluster == component.Embedded:
		return fmt.Errorf("--cluster=embedded --registry-mirror=%s: an embedded cluster runs programs, which are built from source", o.RegistryMirror)
	}
	_, err := artifact.NewMirror(o.RegistryMirror, o.RegistryPins)
	return err
}

// checkBundle finds options that a bundle contradicts.
func (o Options) checkBundle() error {
	switch {
	case o.Bundle == "":
		return nil
	case o.Cluster == component.Embedded:
		return fmt.Errorf("--cluster=embedded --bundle=%s: an embedded cluster runs programs, and bundles hold images for kind", o.Bundle)
	case o.Images != "auto":
		return fmt.Errorf("--images=%s --bundle=%s: images come from the one or the other", o.Images, o.Bundle)
	case o.RegistryMirror != "":
		return fmt.Errorf("--registry-mirror=%s --bundle=%s: images come from the one or the other", o.RegistryMirror, o.Bundle)
	}
	return nil
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
