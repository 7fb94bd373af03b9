package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/near"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

// shared are the options of every command.
type shared struct {
	options session.Options
	config  string
	// opened are the runs that the command opened, which end with it.
	opened []*lifecycle.Sandbox
	// origins has, by --NAME=, where options come from that are not from the command line.
	origins map[string]string
}

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
	flags.StringVar(&s.config, "config", "", "YAML file with options; its keys are flags' names")
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
	tracing := flags.VarPF(optionalBool{&o.ControlPlaneTracing}, "control-plane-tracing", "", "have kube-apiserver and etcd take part in the traces (default: as it is, and off in a new sandbox; docs/control-plane-tracing.md)")
	tracing.NoOptDefVal = "true"
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
	flags.StringVar(&o.Context, "context", "", "with --cluster=existing: `NAME` of the cluster's context in your kubeconfig (default: that of the sandbox, if it is up)")
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
	flags.StringVarP(&s.options.File, "file", "f", "", "`sandbox.yaml` of the operator (default: that of the one that runs, or the reference operator's)")
}

// bindImages adds the options that say which images to get, and where.
func (s *shared) bindImages(flags *pflag.FlagSet) {
	o := &s.options
	flags.StringVar(&o.Images, "images", "auto", "where images come from: registry, source, or auto (a registry if one answers)")
	flags.StringVar(&o.RegistryMirror, "registry-mirror", "", "`HOST[:PORT][/FOLDER]` of a registry that has the images of all others; http:// before it for one without a certificate")
	flags.StringVar(&o.RegistryPins, "registry-pins", "", "`FILE` with the digests of the mirror's images, a YAML map, if they are not the published ones")
	flags.DurationVar(&o.Timeout, "timeout", session.DefaultTimeout, "give up after this time")
}

func (s *shared) bindCluster(flags *pflag.FlagSet) {
	flags.StringVar(&s.options.Cluster, "cluster", "auto", "kind, embedded (processes of this machine), existing (that of --context), or auto (kind where a container engine works)")
}

// fill sets the flags that the command line left out from the environment, and then from the file.
func (s *shared) fill(cmd *cobra.Command) error {
	if err := s.fromEnvironment(cmd.Flags()); err != nil {
		return usageError{err}
	}
	if s.config == "" {
		return nil
	}
	if err := s.fromFile(cmd, s.config); err != nil {
		return usageError{err}
	}
	return nil
}

// envName is the environment variable of a flag: SANDBOX_STATE_DIR for state-dir.
func envName(flag string) string {
	return "SANDBOX_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (s *shared) fromEnvironment(flags *pflag.FlagSet) error {
	var first error
	flags.VisitAll(func(f *pflag.Flag) {
		value, set := os.LookupEnv(envName(f.Name))
		if f.Changed || !set || value == "" || first != nil {
			return
		}
		if err := s.set(flags, f.Name, value, envName(f.Name)); err != nil {
			first = fmt.Errorf("reading %s=%q from the environment: %w", envName(f.Name), value, err)
		}
	})
	return first
}

// fromFile sets flags from a YAML file. A key may belong to another command, as all share one file.
func (s *shared) fromFile(cmd *cobra.Command, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading options: %w", err)
	}
	values, err := optionsIn(data)
	if err != nil {
		return fmt.Errorf("reading options from %s: %w", path, err)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(flagNames(cmd.Root()), key) {
			return fmt.Errorf("reading options from %s%s: unknown option %q%s", path, lineOf(data, key), key, near.Hint(key, flagNames(cmd.Root())))
		}
		f := cmd.Flags().Lookup(key)
		value := values[key]
		if f == nil || f.Changed || value == nil {
			continue
		}
		if list, isList := value.([]any); isList && f.Value.Type() == "stringArray" {
			if err := setList(cmd.Flags(), key, list); err != nil {
				return fmt.Errorf("reading options from %s%s: %s: %w", path, lineOf(data, key), key, err)
			}
			continue
		}
		if kind := reflect.TypeOf(value).Kind(); kind == reflect.Map || kind == reflect.Slice {
			return fmt.Errorf("reading options from %s%s: %s: use a single value", path, lineOf(data, key), key)
		}
		if err := s.set(cmd.Flags(), key, fmt.Sprint(value), path+lineOf(data, key)); err != nil {
			return fmt.Errorf("reading options from %s%s: %w", path, lineOf(data, key), err)
		}
	}
	return nil
}

// optionsIn reads a YAML map. Numbers stay as they are written: a float64 prints a million as 1e+06.
func optionsIn(data []byte) (map[string]any, error) {
	converted, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return nil, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	decoder := json.NewDecoder(bytes.NewReader(converted))
	decoder.UseNumber()
	var values map[string]any
	if err := decoder.Decode(&values); err != nil {
		return nil, errors.New("use a map, one option: value to a line")
	}
	return values, nil
}

// set sets a flag, and remembers from where: a mistake that is found later is to name that.
func (s *shared) set(flags *pflag.FlagSet, name, value, from string) error {
	if err := flags.Set(name, value); err != nil {
		return plainly(err)
	}
	if s.origins == nil {
		s.origins = map[string]string{}
	}
	s.origins["--"+name+"="] = from
	return nil
}

// origin says where the options that an error names come from, if that is not the command line.
func (s *shared) origin(err error) string {
	for _, flag := range slices.Sorted(maps.Keys(s.origins)) {
		if strings.Contains(err.Error(), flag) {
			return fmt.Sprintf(" (%s comes from %s)", strings.TrimSuffix(flag, "="), s.origins[flag])
		}
	}
	return ""
}

// plainly says of a flag's value what it should have been, instead of how it could not be parsed.
func plainly(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	wanted := map[string]string{"int": "a number", "bool": "true or false", "duration": "a time with its unit, 90s or 5m say"}[invalid.GetFlag().Value.Type()]
	if wanted == "" {
		return err
	}
	return fmt.Errorf("--%s=%s: use %s", invalid.GetFlag().Name, invalid.GetValue(), wanted)
}

func setList(flags *pflag.FlagSet, name string, values []any) error {
	for _, value := range values {
		if err := flags.Set(name, fmt.Sprint(value)); err != nil {
			return err
		}
	}
	return nil
}

// lineOf is the line on which a top-level key stands, as ":3", or "".
func lineOf(data []byte, key string) string {
	for i, line := range bytes.Split(data, []byte("\n")) {
		if bytes.HasPrefix(line, []byte(key+":")) {
			return fmt.Sprintf(":%d", i+1)
		}
	}
	return ""
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
