package main

import (
	"crypto/x509"
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
	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/operator/tracing"
)

// options are the operator's settings. The OTEL_* variables of OpenTelemetry set the exporter.
type options struct {
	metricsAddress   string
	probeAddress     string
	leaderElect      bool
	namespace        string
	webhooks         bool
	webhookHost      string
	webhookPort      int
	webhookCertDir   string
	webhookClients   *x509.CertPool // nil accepts all clients
	untrustedContext tracing.UntrustedContext
	relation         tracing.Relation
	trustedWriters   []string
	maxAge           time.Duration
	convergedAge     time.Duration
	verbosity        int
	logFormat        string
}

// envNames holds the variables whose names do not follow from the flag. The manifest sets POD_NAMESPACE
// from the pod.
var envNames = map[string]string{
	"namespace":  "POD_NAMESPACE",
	"kubeconfig": "", // client-go reads KUBECONFIG itself, as a list of paths
}

func envName(flagName string) string {
	if name, ok := envNames[flagName]; ok {
		return name
	}
	return "OPERATOR_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// flags returns the flag set of all options.
func (o *options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("operator", flag.ContinueOnError)
	// The caller prints the error. The flag set would print it too, followed by the whole usage.
	fs.SetOutput(io.Discard)

	fs.String(settings.FileFlag, "", "path of a YAML `file` with options by flag name; flags and environment variables take precedence")
	// The metrics endpoint has no authentication, so by default it listens on the loopback address.
	// kubectl port-forward reaches it there.
	fs.StringVar(&o.metricsAddress, "metrics-bind-address", "127.0.0.1:8080", "`address` of the metrics endpoint (plain HTTP, no authentication), or 0 to disable it")
	fs.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "`address` of /healthz and /readyz, or 0 to disable them")
	fs.BoolVar(&o.leaderElect, "leader-elect", false, "leader election, so that only one of several replicas reconciles (default false)")
	fs.StringVar(&o.namespace, "namespace", "", "`namespace` of the leader election lease (default the namespace of the pod)")
	fs.BoolVar(&o.webhooks, "enable-webhooks", true, "admission webhook; without it, a trace starts at the first reconcile")
	fs.StringVar(&o.webhookHost, "webhook-host", "", "`host` name or IP address of the webhook (default all addresses)")
	fs.IntVar(&o.webhookPort, "webhook-port", 9443, "`port` of the webhook")
	fs.StringVar(&o.webhookCertDir, "webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs", "`folder` of the webhook's tls.crt and tls.key, which are reloaded when they change")
	fs.Func("webhook-client-ca", "`file` with the CA of the API server's client certificate; reviews of other clients are refused (default all clients)", o.setWebhookClientCA)
	fs.Func("untrusted-context", "`use` of a trace context from an untrusted user: link, parent or ignore (default link)", o.setUntrustedContext)
	fs.Func("relation", "`relation` of a reconcile to the trace context of its object: child, link, or auto to decide by the age of the context (default auto)", o.setRelation)
	fs.Func("trusted-writers", "comma-separated `users` whose trace contexts are trusted, in addition to the operator's own user (default none)", o.setTrustedWriters)
	fs.DurationVar(&o.maxAge, "max-age", time.Hour, "maximum `age` of a trace; a later reconcile of the same change starts a new trace")
	fs.DurationVar(&o.convergedAge, "converged-age", 10*time.Minute, "maximum `age` of a trace after its object is ready; a later reconcile starts a new trace")
	fs.Func("log-level", "`level` of the log: error, info, debug or an integer >= 0, where 0 is info and 1 is debug (default info)", o.setVerbosity)
	fs.Func("log-format", "`format` of the log: json or text (default json)", o.setLogFormat)
	o.logFormat = "json"
	config.RegisterFlags(fs)

	fs.VisitAll(func(f *flag.Flag) {
		if name := envName(f.Name); name != "" {
			f.Usage += " [$" + name + "]"
		}
	})
	return fs
}

// parseOptions reads the flags, then the environment, and then the file. The first source that sets an
// option takes precedence. An error names the source and the option. With -h, parseOptions prints the
// usage to out and returns flag.ErrHelp.
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
		return options{}, fmt.Errorf("unexpected argument %q; use flags only", fs.Arg(0))
	}
	flags := pflag.NewFlagSet("operator", pflag.ContinueOnError)
	flags.AddGoFlagSet(fs)
	fs.Visit(func(f *flag.Flag) { flags.Lookup(f.Name).Changed = true })
	origins, err := settings.Sources{Variable: envName, Lookup: env}.Fill(flags)
	if err != nil {
		return options{}, err
	}
	if err := o.validate(origins); err != nil {
		return options{}, err
	}
	return o, nil
}

// validate returns an error about every invalid value.
func (o *options) validate(origins settings.Origins) error {
	var errs []error
	check := func(valid bool, name string, value any, want string) {
		if !valid {
			errs = append(errs, origins.Explain(settings.Given(name, value).Errorf("%s", want)))
		}
	}
	address := func(name, value string) {
		_, _, err := net.SplitHostPort(value)
		check(err == nil || value == "0", name, value, "want HOST:PORT or 0")
	}
	address("metrics-bind-address", o.metricsAddress)
	address("health-probe-bind-address", o.probeAddress)
	check(!strings.Contains(o.webhookHost, ":") || net.ParseIP(o.webhookHost) != nil, "webhook-host", o.webhookHost,
		"want a host name or an IP address; set the port with --webhook-port")
	check(o.maxAge > 0, "max-age", o.maxAge, "want a duration > 0")
	check(o.convergedAge > 0, "converged-age", o.convergedAge, "want a duration > 0")
	check(o.webhookPort >= 1 && o.webhookPort <= 65535, "webhook-port", o.webhookPort, "want 1 to 65535")
	return errors.Join(errs...)
}

func (o *options) setWebhookClientCA(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	o.webhookClients = x509.NewCertPool()
	if !o.webhookClients.AppendCertsFromPEM(data) {
		return fmt.Errorf("no certificate in %s", path)
	}
	return nil
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
			return fmt.Errorf("invalid log level %q: want error, info, debug or an integer >= 0", word)
		}
		o.verbosity = n
	}
	return nil
}

func (o *options) setLogFormat(word string) error {
	if word != "json" && word != "text" {
		return fmt.Errorf("invalid log format %q: want json or text", word)
	}
	o.logFormat = word
	return nil
}

// logger returns a logger that writes to out. Level V(n) of logr is level -n of slog.
func (o *options) logger(out io.Writer) logr.Logger {
	handler := &slog.HandlerOptions{Level: slog.Level(-o.verbosity)}
	if o.logFormat == "text" {
		return logr.FromSlogHandler(slog.NewTextHandler(out, handler))
	}
	return logr.FromSlogHandler(slog.NewJSONHandler(out, handler))
}
