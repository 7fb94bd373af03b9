package command

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/suggest"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// Shared has the options of all commands, and the sandboxes that the command opened.
type Shared struct {
	Options session.Options
	tracing bool // The value of tracingFlag.
	observe bool // The value of observeFlag.
	opened  []*lifecycle.Sandbox
}

const (
	tracingFlag = "control-plane-tracing"
	observeFlag = "observe"
)

// Open opens the sandbox that the options name. Close closes it.
func (s *Shared) Open() (*lifecycle.Sandbox, error) {
	run, err := lifecycle.Open(s.Options)
	if err == nil {
		s.opened = append(s.opened, run)
		if run.Name != session.DefaultName {
			hint.Select(run.Name, s.Options.StateDir) // Its record may have named it.
		}
	}
	return run, err
}

// Attach opens the sandbox that the options name. It returns an error if the sandbox is not up.
func (s *Shared) Attach() (*lifecycle.Sandbox, error) {
	run, err := s.Open()
	if err != nil {
		return nil, err
	}
	if err := run.Attach(); err != nil {
		return nil, err
	}
	return run, nil
}

// WithProgress opens the sandbox, and calls run with a context that ends after the option --timeout.
// The progress goes to stderr, and so do the sandbox's notes.
func (s *Shared) WithProgress(parent context.Context, stderr *os.File, run func(context.Context, *lifecycle.Sandbox, *ui.Progress) error) error {
	sandbox, err := s.Open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(parent, sandbox.Timeout)
	defer cancel()
	progress := ui.NewProgress(stderr)
	defer progress.Close()
	sandbox.Note = progress.Printf
	return run(ctx, sandbox, progress)
}

// Close closes the sandboxes that the command opened.
func (s *Shared) Close() {
	for _, run := range s.opened {
		run.Close()
	}
}

// Explain adds the remedy to an error about an API server of a sandbox that does not answer.
func (s *Shared) Explain(err error) error {
	failed, ok := errors.AsType[*url.Error](err)
	if !ok || strings.Contains(err.Error(), hint.Run("up")) {
		return err
	}
	for _, run := range s.opened {
		target, unknown := run.Target()
		if unknown == nil && strings.HasPrefix(failed.URL, target.Config().Host) {
			return fmt.Errorf("%w; the API server of the sandbox does not answer%s", err, provider.Repairs())
		}
	}
	return err
}

// Bind adds the flags of all commands to the root command.
func Bind(root *cobra.Command) *Shared {
	s := &Shared{}
	flags := root.PersistentFlags()
	flags.StringVar(&s.Options.Name, "name", "", "name of the cluster (default the name of the sandbox in --state-dir, else "+session.DefaultName+")")
	flags.StringVar(&s.Options.StateDir, "state-dir", "", "folder of the sandbox's state and kubeconfig (default a folder in the user's state folder)")
	flags.StringVar(&s.Options.Source, "source", "", "root of this repository (default the repository of the working folder)")
	flags.String(settings.FileFlag, "", "YAML file with options; its keys are the names of flags")
	return s
}

// BindUp adds the flags of up.
func (s *Shared) BindUp(flags *pflag.FlagSet) {
	o := &s.Options
	s.BindCluster(flags)
	s.BindOperator(flags)
	s.BindImages(flags)
	flags.StringVar(&o.Provider, "provider", "auto", "container engine: docker, podman, nerdctl, or auto")
	flags.StringVar(&o.Bundle, "bundle", "", "`FILE` from \"sandbox bundle create\" with all images or programs; needs no registry, Go or source code")
	s.bindExisting(flags)
	flags.StringVar(&o.JaegerConfig, "jaeger-config", "", "`FILE` with a configuration of Jaeger, for example of its storage, or \"none\" for the sandbox's own (default unchanged; see docs/clusters.md)")
	flags.BoolVar(&s.observe, observeFlag, true, "observer, which shows the work of all controllers in the traces (default unchanged, on in a new sandbox; see docs/observing.md)")
	flags.BoolVar(&s.tracing, tracingFlag, false, "spans of kube-apiserver and etcd in the traces (default unchanged, off in a new sandbox; see docs/control-plane-tracing.md)")
	for _, p := range component.AllPorts() {
		flags.Var(&portFlag{&o.Ports, p.Name}, p.Flag, "port on 127.0.0.1 for "+p.Use+" (default the usual port, or a free port if it is in use)")
	}
}

type portFlag struct {
	ports *component.Ports
	name  string
}

func (f *portFlag) String() string { return strconv.Itoa((*f.ports)[f.name]) }
func (f *portFlag) Type() string   { return "int" }

// Set implements pflag.Value.
func (f *portFlag) Set(text string) error {
	number, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	*f.ports = f.ports.With(f.name, number)
	return nil
}

func (s *Shared) bindExisting(flags *pflag.FlagSet) {
	o := &s.Options
	flags.StringVar(&o.Context, "context", "", "with --cluster=existing: `NAME` of the cluster's context in your kubeconfig (default the context of the running sandbox)")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "with --cluster=existing: kubeconfig `FILE` with the context (default the files that kubectl reads)")
	flags.StringVar(&o.Registry, "registry", "", "with --cluster=existing: `HOST[:PORT][/FOLDER]` of a registry; the sandbox pushes images to it, and the cluster pulls them")
	flags.StringVar(&o.JaegerEndpoint, "jaeger-endpoint", "", "with --cluster=existing: `HOST:PORT` of your Jaeger's OTLP gRPC receiver, reachable from the cluster; no other Jaeger is installed")
	flags.StringVar(&o.JaegerQuery, "jaeger-query", "", "with --jaeger-endpoint: `URL` of that Jaeger's web page, reachable from this machine; required to show traces")
}

// BindOperator adds the flags of the operator.
func (s *Shared) BindOperator(flags *pflag.FlagSet) {
	s.BindFile(flags)
	flags.StringArrayVar(&s.Options.OperatorEnv, "operator-env", nil, "NAME=VALUE for the operator's environment; can be repeated")
	flags.IntVar(&s.Options.OperatorReplicas, "operator-replicas", 0, "number of Pods of the operator, which must elect a leader (default unchanged; in a new sandbox the number in its manifests)")
}

// BindFile adds the flag that names the sandbox.yaml.
func (s *Shared) BindFile(flags *pflag.FlagSet) {
	flags.StringVarP(&s.Options.File, "file", "f", "", "`sandbox.yaml` of the operator (default the file of the running operator, or of the reference operator)")
	flags.BoolVar(&s.Options.TrustProject, "trust-project", false, "permission for manifests outside the folder of sandbox.yaml and for remote kustomizations, which run git")
}

// BindImages adds the flags for the sources of images, and the timeout.
func (s *Shared) BindImages(flags *pflag.FlagSet) {
	o := &s.Options
	flags.StringVar(&o.Images, "images", "auto", "source of images and programs: registry, source, or auto (a registry if one is reachable)")
	flags.StringVar(&o.RegistryMirror, "registry-mirror", "", "`HOST[:PORT][/FOLDER]` of a registry that mirrors all images; http:// in front selects plain HTTP")
	flags.StringVar(&o.RegistryPins, "registry-pins", "", "YAML `FILE` that maps images to the mirror's digests, if they differ from the published digests")
	flags.DurationVar(&o.Timeout, "timeout", session.DefaultTimeout, "time limit of the command")
}

// BindCluster adds the flag for the kind of cluster.
func (s *Shared) BindCluster(flags *pflag.FlagSet) {
	flags.StringVar(&s.Options.Cluster, "cluster", "auto", "kind of cluster: kind, embedded (processes on this machine), existing (see --context), or auto (kind if a container engine works)")
}

// Fill sets the flags that are not on the command line: from the environment, then from the file.
func (s *Shared) Fill(cmd *cobra.Command) (err error) {
	sources := settings.Sources{Variable: envName, Lookup: os.LookupEnv, Known: flagNames(cmd.Root()), Hint: suggest.Hint,
		Read: func(path string) ([]byte, error) { return input.ReadFile(path, input.MaxConfig) }}
	if s.Options.Origins, err = sources.Fill(cmd.Flags()); err != nil {
		return Usage(err)
	}
	if cmd.Flags().Changed(tracingFlag) {
		s.Options.ControlPlaneTracing = &s.tracing
	}
	if cmd.Flags().Changed(observeFlag) {
		s.Options.Observe = &s.observe
	}
	s.Options.Command = strings.TrimPrefix(cmd.CommandPath(), cmd.Root().CommandPath()+" ")
	hint.Select(s.Options.Name, s.Options.StateDir)
	return nil
}

// envName returns the environment variable of a flag: SANDBOX_STATE_DIR for state-dir.
func envName(flag string) string {
	return "SANDBOX_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func flagNames(root *cobra.Command) []string {
	var names []string
	note := func(f *pflag.Flag) { names = append(names, f.Name) }
	root.PersistentFlags().VisitAll(note)
	root.Flags().VisitAll(note)
	for _, c := range root.Commands() {
		names = append(names, flagNames(c)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
