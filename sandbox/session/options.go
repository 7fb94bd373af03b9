package session

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/suggest"
)

// Module is the path of the repository's root module, by which its folder is found.
const Module = "github.com/operator-tracing/sandbox"

// Options are what a user may choose about a sandbox. The zero value of a field is its default.
type Options struct {
	// Name is the cluster's name; default the name of the sandbox in StateDir or, if there is none, "operator-tracing".
	Name string
	// StateDir is the sandbox's folder; default state.DefaultPath(Name).
	StateDir string
	// Source is the repository's root; default the folder above the working folder that has its go.mod.
	Source string
	// File is the sandbox.yaml of the operator to run; default the file of the operator that runs, or the reference operator's.
	File string
	// TrustProject lets the manifests of File be outside its folder, and remote.
	TrustProject bool
	// Cluster is kind, embedded, existing, or auto: kind if a container engine works, else embedded.
	Cluster string
	// Provider is docker, podman, nerdctl, or auto.
	Provider string
	// Images is registry, source, or auto: a registry if one answers.
	Images string
	// Bundle is a file that images come from, see package bundle; empty for none.
	Bundle string
	// RegistryMirror is a registry that stands for all others, see artifact.NewMirror; empty for none.
	RegistryMirror string
	// RegistryPins is a file with the digests of a mirror's own images; empty for the digests that the sandbox was compiled with.
	RegistryPins string
	// Ports are Jaeger's on 127.0.0.1; zero is the usual port, or any other if the usual one is taken.
	Ports component.Ports
	// Context is the context of an existing cluster in the user's kubeconfig; empty for the one that the sandbox is on.
	Context string
	// Kubeconfig is the file that has Context; default the files that kubectl reads.
	Kubeconfig string
	// Registry is a folder of a registry that images are pushed to for an existing cluster; empty for none.
	Registry string
	// JaegerEndpoint is where a Jaeger of the user's takes OTLP over gRPC, as an existing cluster sees it: HOST:PORT; empty for the
	// sandbox's own Jaeger.
	JaegerEndpoint string
	// JaegerQuery is the http or https URL of that Jaeger, as this machine sees it; empty if it has none.
	JaegerQuery string
	// JaegerConfig is a file with a configuration of Jaeger's; NoJaegerConfig is the sandbox's own, and empty leaves it as it is.
	JaegerConfig string
	// OperatorReplicas is the number of the operator's Pods; zero changes nothing, and leaves a new operator to its manifests.
	OperatorReplicas int
	// OperatorEnv are environment variables of the operator, as NAME=VALUE, added to its own or replacing them.
	OperatorEnv []string
	// ControlPlaneTracing says whether the API server and etcd take part in the traces; nil changes nothing in a sandbox that is up,
	// and is false for a new one.
	ControlPlaneTracing *bool
	// Observe says whether the sandbox has an observer; nil changes nothing, and is true for a new sandbox.
	Observe *bool
	// Timeout bounds the whole of up; default 40 minutes, as a first build takes half of that.
	Timeout time.Duration
	// Command is the name of the command that uses the sandbox, for messages of others that wait for it.
	Command string
	// Origins has the options that the environment or a file set; nil if the caller set all of them.
	Origins settings.Origins
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

// setDefaults replaces zero values that have another default.
func (o *Options) setDefaults() {
	o.Name = cmp.Or(o.Name, DefaultName)
	o.Images = cmp.Or(o.Images, "auto")
	o.Provider = cmp.Or(o.Provider, "auto")
	o.Cluster = cmp.Or(o.Cluster, "auto")
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
}

// Complete sets defaults and checks the values. A mistake is a [settings.Error].
func (o Options) Complete() (Options, error) {
	o.setDefaults()
	err := oneOf("cluster", o.Cluster, clusters)
	if err == nil && o.Cluster != "auto" {
		o, err = o.fit(o.Cluster)
	}
	if err == nil {
		err = o.check()
	}
	if err == nil && o.File != "" {
		_, err = o.loadProject(o.File) // Its error names the place in the file.
	}
	if err == nil && o.StateDir == "" {
		o.StateDir, err = state.DefaultPath(o.Name)
	}
	return o, err
}

func (o Options) loadProject(file string) (*project.Project, error) {
	if o.TrustProject {
		return project.LoadTrusted(file)
	}
	return project.Load(file)
}

// oneOf returns an error unless an option has one of some values.
func oneOf(option, value string, values []string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return settings.Given(option, value).Errorf("use %s%s", strings.Join(values, ", "), suggest.Hint(value, values))
}

// check returns the first mistake that does not depend on the kind of cluster.
func (o Options) check() error {
	return cmp.Or(
		invalid("name", o.Name, cluster.ValidName(o.Name)),
		oneOf("images", o.Images, imageOrigins), oneOf("provider", o.Provider, providers),
		o.checkRegistry(), o.checkMirror(), o.checkBundle(), o.checkOperator(), o.checkJaeger(), o.checkPorts(),
	)
}

func invalid(option, value string, err error) error {
	if err == nil {
		return nil
	}
	return settings.Given(option, value).Errorf("%w", err)
}

func (o Options) checkRegistry() error {
	if o.Registry == "" {
		return nil
	}
	_, err := artifact.NewFolder(o.Registry)
	return invalid("registry", o.Registry, err)
}

func (o Options) checkOperator() error {
	if o.OperatorReplicas < 0 {
		return settings.Given("operator-replicas", o.OperatorReplicas).Errorf("use 1 or more")
	}
	for _, variable := range o.OperatorEnv {
		if name, _, found := strings.Cut(variable, "="); !found || name == "" {
			return settings.Given("operator-env", variable).Errorf("use NAME=VALUE")
		}
	}
	if o.Timeout < 0 {
		return settings.Given("timeout", o.Timeout).Errorf("use a time above 0, for example 40m")
	}
	return nil
}

func (o Options) checkPorts() error {
	seen := map[int]string{}
	for _, p := range component.AllPorts() {
		number := o.Ports[p.Name]
		if number < 0 || number > 65535 {
			return settings.Given(p.Flag, number).Errorf("use a port from 1 to 65535")
		}
		if other := seen[number]; other != "" && number != 0 {
			return settings.Given(p.Flag, number).Errorf("--%s is the same", other)
		}
		seen[number] = p.Flag
	}
	return nil
}

func (o Options) checkMirror() error {
	switch {
	case o.RegistryMirror == "" && o.RegistryPins == "":
		return nil
	case o.RegistryMirror == "":
		return settings.Given("registry-pins", o.RegistryPins).Errorf("it is about a mirror; add --registry-mirror")
	case o.Images == "source":
		return settings.Given("images", o.Images).And("registry-mirror", o.RegistryMirror).Errorf("a mirror is not used to build from source")
	}
	_, err := artifact.NewMirror(o.RegistryMirror, o.RegistryPins)
	return invalid("registry-mirror", o.RegistryMirror, err)
}

// checkBundle checks that nothing else provides the images too.
func (o Options) checkBundle() error {
	const problem = "images come from only one of the two"
	switch {
	case o.Bundle == "":
		return nil
	case o.Images != "auto":
		return settings.Given("images", o.Images).And("bundle", o.Bundle).Errorf(problem)
	case o.RegistryMirror != "":
		return settings.Given("registry-mirror", o.RegistryMirror).And("bundle", o.Bundle).Errorf(problem)
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
