package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation/field"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/cert-manager/cert-manager/internal/apis/config/shared"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/pkg/util/configfile"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
)

// program describes how one of the three programs is configured. C is cert-manager's own type for
// the configuration.
type program[C any] struct {
	name     string
	defaults func() (*C, error)
	bind     func(*pflag.FlagSet, *C)
	validate func(*C, *field.Path) field.ErrorList
	// file decodes a configuration file; nil means that the program does not support one.
	file func() (configfile.ConfigFile, func() *C)
}

// configure returns the validated configuration. Flags in args override the configuration file that
// args may name, and the file overrides the defaults. It returns a usageError if args or the file
// are invalid, and pflag.ErrHelp after --help.
func (p program[C]) configure(args []string) (*C, error) {
	config, err := p.defaults()
	if err != nil {
		return nil, fmt.Errorf("creating the default configuration: %w", err)
	}
	path, err := p.parse(args, config)
	if err != nil {
		return nil, err
	}
	if path != "" {
		if config, err = p.load(path); err != nil {
			return nil, usageError{err}
		}
		// The flags were bound to the defaults. Parse them again so that they override the file.
		if _, err := p.parse(args, config); err != nil {
			return nil, err
		}
	}
	if invalid := p.validate(config, nil).ToAggregate(); invalid != nil {
		return nil, usageError{fmt.Errorf("validating the configuration: %w", invalid)}
	}
	return config, nil
}

// parse sets the fields of config from the flags in args. It returns the path of the configuration
// file, or "" if args do not name one.
func (p program[C]) parse(args []string, config *C) (path string, err error) {
	flags := pflag.NewFlagSet(p.name, pflag.ContinueOnError)
	if p.file != nil {
		flags.StringVar(&path, "config", "", "path of a configuration file")
	}
	p.bind(flags, config)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return "", err
		}
		return "", usageError{err}
	}
	if rest := flags.Args(); len(rest) > 0 {
		return "", usageError{fmt.Errorf("unexpected argument %q", rest[0])}
	}
	return path, nil
}

func (p program[C]) load(path string) (*C, error) {
	file, result := p.file()
	loader, err := configfile.NewConfigurationFSLoader(os.ReadFile, path)
	if err != nil {
		return nil, fmt.Errorf("opening configuration file %s: %w", path, err)
	}
	if err := loader.Load(file); err != nil {
		return nil, fmt.Errorf("reading configuration file %s: %w", path, err)
	}
	return result(), nil
}

// start sets up feature gates and logging. It returns a context that contains the logger.
func start(ctx context.Context, name string, logging *logsapi.LoggingConfiguration, features map[string]bool) (context.Context, error) {
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(features); err != nil {
		return nil, usageError{fmt.Errorf("setting feature gates: %w", err)}
	}
	logf.InitLogs()
	if err := logf.ValidateAndApply(logging); err != nil {
		return nil, usageError{fmt.Errorf("setting up logging: %w", err)}
	}
	log := klog.Background().WithName("cert-manager")
	ctrl.SetLogger(log)
	ctx = logf.NewContext(ctx, log, name)
	version := util.VersionInfo()
	logf.FromContext(ctx).V(logf.InfoLevel).Info("starting", "version", version.GitVersion, "go", version.GoVersion, "platform", version.Platform)
	return ctx, nil
}

func bindLeaderElection(flags *pflag.FlagSet, c *shared.LeaderElectionConfig) {
	flags.BoolVar(&c.Enabled, "leader-elect", c.Enabled, "run the controllers only while this process holds the lease")
	flags.StringVar(&c.Namespace, "leader-election-namespace", c.Namespace, "namespace of the lease")
	flags.DurationVar(&c.LeaseDuration, "leader-election-lease-duration", c.LeaseDuration, "time after which another process can acquire a lease that was not renewed")
	flags.DurationVar(&c.RenewDeadline, "leader-election-renew-deadline", c.RenewDeadline, "time after which a leader that cannot renew the lease stops")
	flags.DurationVar(&c.RetryPeriod, "leader-election-retry-period", c.RetryPeriod, "time between attempts to acquire or renew the lease")
}

func bindMetricsTLS(flags *pflag.FlagSet, c *shared.TLSConfig) {
	flags.StringVar(&c.Filesystem.CertFile, "metrics-tls-cert-file", c.Filesystem.CertFile, "path of the certificate for the metrics server")
	flags.StringVar(&c.Filesystem.KeyFile, "metrics-tls-private-key-file", c.Filesystem.KeyFile, "path of the private key for the metrics server")
}

func bindFeatureGates(flags *pflag.FlagSet, gates *map[string]bool) {
	flags.Var(cliflag.NewMapStringBool(gates), "feature-gates", "NAME=true|false pairs, separated by commas")
}
