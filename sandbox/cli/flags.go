package cli

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/near"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

// shared are the options of every command.
type shared struct {
	options session.Options
	tracing bool // of tracingFlag
	// opened are the sandboxes that the command opened, which end with it.
	opened []*lifecycle.Sandbox
}

const tracingFlag = "control-plane-tracing"

// open opens the sandbox that the options name. What it holds open ends with the command.
func (s *shared) open() (*lifecycle.Sandbox, error) {
	run, err := lifecycle.Open(s.options)
	if err == nil {
		s.opened = append(s.opened, run)
	}
	return run, err
}

// close ends what the command held open.
func (s *shared) close() {
	for _, run := range s.opened {
		run.Close()
	}
}

func bindShared(root *cobra.Command) *shared {
	s := &shared{}
	flags := root.PersistentFlags()
	flags.StringVar(&s.options.Name, "name", "", "name of the cluster (default: "+session.DefaultName+", or what the sandbox in --state-dir is called)")
	flags.StringVar(&s.options.StateDir, "state-dir", "", "folder of the sandbox's state and kubeconfig (default: the user's state folder)")
	flags.StringVar(&s.options.Source, "source", "", "root of this repository (default: found from the working folder)")
	flags.String(settings.FileFlag, "", "YAML file with options; its keys are flags' names")
	return s
}

// bindUp adds the options of up.
func (s *shared) bindUp(flags *pflag.FlagSet) {
	o := &s.options
	s.bindCluster(flags)
	s.bindOperator(flags)
	s.bindImages(flags)
	flags.StringVar(&o.Provider, "provider", "auto", "container engine: docker, podman, nerdctl, or auto")
	flags.StringVar(&o.Bundle, "bundle", "", "`FILE` that all images come from, which \"sandbox bundle create\" wrote: no registry, no Go, no sources")
	s.bindExisting(flags)
	flags.StringVar(&o.JaegerConfig, "jaeger-config", "", "`FILE` with a configuration for the sandbox's Jaeger, of its storage say, or \"none\" for the sandbox's own (default: as it is; docs/clusters.md)")
	flags.BoolVar(&s.tracing, tracingFlag, false, "have kube-apiserver and etcd take part in the traces (default: as it is, and off in a new sandbox; docs/control-plane-tracing.md)")
	for _, p := range component.AllPorts() {
		flags.Var(&portFlag{&o.Ports, p.Name}, p.Flag, "port on 127.0.0.1 for "+p.Use+" (default: the usual one, or any other if it is taken)")
	}
}

// portFlag is a flag for one of several ports.
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

// bindExisting adds the options about clusters that exist.
func (s *shared) bindExisting(flags *pflag.FlagSet) {
	o := &s.options
	flags.StringVar(&o.Context, "context", "", "with --cluster=existing: `NAME` of the cluster's context in your kubeconfig (default: the sandbox's, if it is up)")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "with --cluster=existing: `FILE` that has the context (default: what kubectl reads)")
	flags.StringVar(&o.Registry, "registry", "", "with --cluster=existing: `HOST[:PORT][/FOLDER]` of a registry to push images to, and to have the cluster pull them from")
	flags.StringVar(&o.JaegerEndpoint, "jaeger-endpoint", "", "with --cluster=existing: `HOST:PORT` where a Jaeger of yours takes OTLP over gRPC, as the cluster sees it; none is installed then")
	flags.StringVar(&o.JaegerQuery, "jaeger-query", "", "with --jaeger-endpoint: `URL` of that Jaeger's web page, as this machine sees it; without it no trace can be shown")
}

// bindOperator adds the options that say what the operator is.
func (s *shared) bindOperator(flags *pflag.FlagSet) {
	s.bindFile(flags)
	flags.StringArrayVar(&s.options.OperatorEnv, "operator-env", nil, "NAME=VALUE for the operator's environment; may be repeated")
	flags.IntVar(&s.options.OperatorReplicas, "operator-replicas", 0, "how many Pods the operator has; it must elect a leader (default: as it is, and in a new sandbox what its manifests say)")
}

func (s *shared) bindFile(flags *pflag.FlagSet) {
	flags.StringVarP(&s.options.File, "file", "f", "", "`sandbox.yaml` of the operator (default: the running operator's, or the reference operator's)")
}

// bindImages adds the options that say which images to get, and where.
func (s *shared) bindImages(flags *pflag.FlagSet) {
	o := &s.options
	flags.StringVar(&o.Images, "images", "auto", "where images and programs come from: registry, source, or auto (a registry if one answers)")
	flags.StringVar(&o.RegistryMirror, "registry-mirror", "", "`HOST[:PORT][/FOLDER]` of a registry that has the images of all others; http:// before it for one without a certificate")
	flags.StringVar(&o.RegistryPins, "registry-pins", "", "`FILE` with the digests of the mirror's images, a YAML map, if they are not the published ones")
	flags.DurationVar(&o.Timeout, "timeout", session.DefaultTimeout, "give up after this time")
}

func (s *shared) bindCluster(flags *pflag.FlagSet) {
	flags.StringVar(&s.options.Cluster, "cluster", "auto", "kind, embedded (processes of this machine), existing (see --context), or auto (kind if a container engine works)")
}

// fill sets the flags that the command line left out from the environment, and then from the file.
func (s *shared) fill(cmd *cobra.Command) (err error) {
	sources := settings.Sources{Variable: envName, Lookup: os.LookupEnv, Known: flagNames(cmd.Root()), Hint: near.Hint}
	if s.options.Origins, err = sources.Fill(cmd.Flags()); err != nil {
		return usageError{err}
	}
	if cmd.Flags().Changed(tracingFlag) {
		s.options.ControlPlaneTracing = &s.tracing
	}
	return nil
}

// envName is the environment variable of a flag: SANDBOX_STATE_DIR for state-dir.
func envName(flag string) string {
	return "SANDBOX_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// flagNames lists the flags of a command and all below it, each once.
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
