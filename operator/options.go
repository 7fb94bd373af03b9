package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// options is everything that can be chosen at start, except what OpenTelemetry's
// own OTEL_* variables choose.
type options struct {
	configFile       string
	metricsAddress   string
	probeAddress     string
	leaderElect      bool
	namespace        string
	serviceAccount   string
	webhooks         bool
	webhookHost      string
	webhookPort      int
	webhookCertDir   string
	untrustedContext tracing.UntrustedContext
	relation         tracing.Relation
	trustedWriters   []string
	maxAge           time.Duration
	convergedAge     time.Duration
	verbosity        int
	logFormat        string
}

// envNames has the variables whose names don't follow from the flag's. The
// manifests fill these two from the pod itself.
var envNames = map[string]string{
	"namespace":       "POD_NAMESPACE",
	"service-account": "SERVICE_ACCOUNT",
	"kubeconfig":      "", // KUBECONFIG is read where the file is, with rules of its own.
}

func envName(flagName string) string {
	if name, ok := envNames[flagName]; ok {
		return name
	}
	return "OPERATOR_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// flags is the one table of options: names, defaults and what they mean.
func (o *options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("operator", flag.ContinueOnError)
	// The caller says what is wrong, once, and without the whole usage after it.
	fs.SetOutput(io.Discard)

	fs.StringVar(&o.configFile, "config", "", "YAML `file` with any of these options, by their names; flags and environment win over it")
	// Metrics need no credentials, so by default only the pod itself can read
	// them; kubectl port-forward reaches them there.
	fs.StringVar(&o.metricsAddress, "metrics-bind-address", "127.0.0.1:8080", "`address` of the metrics (plain HTTP, no authentication); 0 switches them off")
	fs.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "`address` of /healthz and /readyz; 0 switches them off")
	fs.BoolVar(&o.leaderElect, "leader-elect", false, "reconcile only while holding the lease, so that several replicas may run")
	fs.StringVar(&o.namespace, "namespace", "", "`namespace` that the operator runs in: of the lease and of its service account")
	fs.StringVar(&o.serviceAccount, "service-account", "", "`name` of the service account that the operator runs as")
	fs.BoolVar(&o.webhooks, "enable-webhooks", true, "serve the admission webhook; without it, traces start at the first reconcile")
	fs.StringVar(&o.webhookHost, "webhook-host", "", "`host` name or IP address that the webhook listens on (default all addresses)")
	fs.IntVar(&o.webhookPort, "webhook-port", 9443, "`port` of the webhook")
	fs.StringVar(&o.webhookCertDir, "webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs", "`folder` with tls.crt and tls.key of the webhook; changes are picked up")
	fs.Func("untrusted-context", "what a trace context from an untrusted user becomes: link, parent or ignore (default link)", o.setUntrustedContext)
	fs.Func("relation", "what a reconcile's span is to the context of its object: child, link, or auto, which decides by the context's age (default auto)", o.setRelation)
	fs.Func("trusted-writers", "comma-separated `users` whose trace contexts are taken as they are (default the operator's own service account)", o.setTrustedWriters)
	fs.DurationVar(&o.maxAge, "max-age", time.Hour, "`time` after which work on a change that has not come to its end begins a trace of its own")
	fs.DurationVar(&o.convergedAge, "converged-age", 10*time.Minute, "`time` after which work on an object that is ready begins a trace of its own")
	fs.Func("log-level", "error, info, debug, or a number: 0 is info, 1 is debug, more is more (default info)", o.setVerbosity)
	fs.Func("log-format", "json or text (default json)", o.setLogFormat)
	o.logFormat = "json"
	config.RegisterFlags(fs)

	fs.VisitAll(func(f *flag.Flag) {
		if name := envName(f.Name); name != "" {
			f.Usage += " [$" + name + "]"
		}
	})
	return fs
}

// parseOptions reads flags, then for those not given the environment, then the
// file. An error names the source and the option; flag.ErrHelp means that the
// usage went to out and there is nothing more to do.
func parseOptions(args []string, env func(string) (string, bool), out io.Writer) (options, error) {
	var o options
	fs := o.flags()
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fs.SetOutput(out)
			fs.PrintDefaults()
		}
		return options{}, err
	}
	if fs.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q: only flags are taken", fs.Arg(0))
	}
	if err := setFromEnv(fs, env); err != nil {
		return options{}, err
	}
	if o.configFile != "" {
		if err := setFromFile(fs, o.configFile); err != nil {
			return options{}, err
		}
	}
	if err := o.validate(); err != nil {
		return options{}, err
	}
	return o, nil
}

func given(fs *flag.FlagSet) map[string]bool {
	names := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { names[f.Name] = true })
	return names
}

func setFromEnv(fs *flag.FlagSet, env func(string) (string, bool)) error {
	done := given(fs)
	var errs []error
	fs.VisitAll(func(f *flag.Flag) {
		name := envName(f.Name)
		if done[f.Name] || name == "" {
			return
		}
		if value, ok := env(name); ok && value != "" {
			if err := fs.Set(f.Name, value); err != nil {
				errs = append(errs, fmt.Errorf("reading $%s=%q: %w", name, value, err))
			}
		}
	})
	return errors.Join(errs...)
}

func setFromFile(fs *flag.FlagSet, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading --config: %w", err)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		return fmt.Errorf("reading --config %s: %w", path, err)
	}
	done := given(fs)
	var errs []error
	for name, value := range values {
		switch {
		case fs.Lookup(name) == nil || name == "config":
			errs = append(errs, fmt.Errorf("reading --config %s: unknown option %q", path, name))
		case !done[name]:
			if err := fs.Set(name, scalar(value)); err != nil {
				errs = append(errs, fmt.Errorf("reading --config %s: option %q: value %q: %w", path, name, scalar(value), err))
			}
		}
	}
	return errors.Join(errs...)
}

// scalar gives a value from a YAML file the form that the flag has: lists become
// comma-separated.
func scalar(value any) string {
	list, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value)
	}
	parts := make([]string, len(list))
	for i, item := range list {
		parts[i] = fmt.Sprint(item)
	}
	return strings.Join(parts, ",")
}

func (o *options) validate() error {
	var errs []error
	for name, address := range map[string]string{
		"metrics-bind-address":      o.metricsAddress,
		"health-probe-bind-address": o.probeAddress,
	} {
		if _, _, err := net.SplitHostPort(address); err != nil && address != "0" {
			errs = append(errs, fmt.Errorf("option %s: %q is neither HOST:PORT nor 0", name, address))
		}
	}
	if strings.Contains(o.webhookHost, ":") && net.ParseIP(o.webhookHost) == nil {
		errs = append(errs, fmt.Errorf("option webhook-host: %q is no host name or IP address; the port is an option of its own", o.webhookHost))
	}
	for name, age := range map[string]time.Duration{"max-age": o.maxAge, "converged-age": o.convergedAge} {
		if age <= 0 {
			errs = append(errs, fmt.Errorf("option %s: %s is not longer than nothing", name, age))
		}
	}
	if o.webhookPort < 1 || o.webhookPort > 65535 {
		errs = append(errs, fmt.Errorf("option webhook-port: %d is not between 1 and 65535", o.webhookPort))
	}
	return errors.Join(errs...)
}

func (o *options) setUntrustedContext(word string) (err error) {
	o.untrustedContext, err = tracing.ParseUntrustedContext(word)
	return err
}

func (o *options) setRelation(word string) (err error) {
	o.relation, err = tracing.ParseRelation(word)
	return err
}

func (o *options) setTrustedWriters(list string) error {
	o.trustedWriters = nil
	for user := range strings.SplitSeq(list, ",") {
		if user = strings.TrimSpace(user); user != "" {
			o.trustedWriters = append(o.trustedWriters, user)
		}
	}
	return nil
}

func (o *options) setVerbosity(word string) error {
	switch word {
	case "error":
		o.verbosity = -int(slog.LevelError)
	case "info":
		o.verbosity = 0
	case "debug":
		o.verbosity = 1
	default:
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is none of error, info, debug, and no number from 0 up", word)
		}
		o.verbosity = n
	}
	return nil
}

func (o *options) setLogFormat(word string) error {
	if word != "json" && word != "text" {
		return fmt.Errorf("%q is neither json nor text", word)
	}
	o.logFormat = word
	return nil
}

// logger writes to out. logr's V(n) is slog's level -n.
func (o *options) logger(out io.Writer) logr.Logger {
	handler := &slog.HandlerOptions{Level: slog.Level(-o.verbosity)}
	if o.logFormat == "text" {
		return logr.FromSlogHandler(slog.NewTextHandler(out, handler))
	}
	return logr.FromSlogHandler(slog.NewJSONHandler(out, handler))
}

// trusted is who may write trace contexts. None means that the tracing library
// finds out as whom the process runs.
func (o *options) trusted() []string {
	if len(o.trustedWriters) == 0 && o.namespace != "" && o.serviceAccount != "" {
		return []string{"system:serviceaccount:" + o.namespace + ":" + o.serviceAccount}
	}
	return o.trustedWriters
}
