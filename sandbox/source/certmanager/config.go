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

// program is what the three programs differ in while they are configured. C is cert-manager's own configuration type.
type program[C any] struct {
	name     string
	defaults func() (*C, error)
	bind     func(*pflag.FlagSet, *C)
	validate func(*C, *field.Path) field.ErrorList
	// file decodes a configuration file; nil means the program takes none.
	file func() (configfile.ConfigFile, func() *C)
}

// configure returns the configuration that args and, if they name one, a configuration file ask for. A flag wins over
// the file, and the file over the defaults.
func (p program[C]) configure(args []string) (*C, error) {
	config, err := p.defaults()
	if err != nil {
		return nil, fmt.Errorf("making the default configuration: %w", err)
	}
	path, err := p.parse(args, config)
	if err != nil {
		return nil, err
	}
	if path != "" {
		if config, err = p.load(path); err != nil {
			return nil, usageError{err}
		}
		// The flags were bound to the defaults; bind them to what the file says, so that they win.
		if _, err := p.parse(args, config); err != nil {
			return nil, err
		}
	}
	if invalid := p.validate(config, nil).ToAggregate(); invalid != nil {
		return nil, usageError{fmt.Errorf("checking the configuration: %w", invalid)}
	}
	return config, nil
}

// parse sets the fields of config that args name, and returns the path of the configuration file, if any.
func (p program[C]) parse(args []string, config *C) (path string, err error) {
	flags := pflag.NewFlagSet(p.name, pflag.ContinueOnError)
	flags.SortFlags = true
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
		return nil, fmt.Errorf("opening configuration %s: %w", path, err)
	}
	if err := loader.Load(file); err != nil {
		return nil, fmt.Errorf("reading configuration %s: %w", path, err)
	}
	return result(), nil
}

// start applies what the three programs have in common, features and logging, and returns a context with the logger.
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
	flags.BoolVar(&c.Enabled, "leader-elect", c.Enabled, "work only while holding the lease")
	flags.StringVar(&c.Namespace, "leader-election-namespace", c.Namespace, "namespace of the lease")
	flags.DurationVar(&c.LeaseDuration, "leader-election-lease-duration", c.LeaseDuration, "time after which an unrenewed lease may be taken over")
	flags.DurationVar(&c.RenewDeadline, "leader-election-renew-deadline", c.RenewDeadline, "time after which a leader that can't renew gives up")
	flags.DurationVar(&c.RetryPeriod, "leader-election-retry-period", c.RetryPeriod, "time between attempts to get or renew the lease")
}

func bindMetricsTLS(flags *pflag.FlagSet, c *shared.TLSConfig) {
	flags.StringVar(&c.Filesystem.CertFile, "metrics-tls-cert-file", c.Filesystem.CertFile, "certificate to serve metrics with")
	flags.StringVar(&c.Filesystem.KeyFile, "metrics-tls-private-key-file", c.Filesystem.KeyFile, "private key to serve metrics with")
}

func bindFeatureGates(flags *pflag.FlagSet, gates *map[string]bool) {
	flags.Var(cliflag.NewMapStringBool(gates), "feature-gates", "NAME=true|false pairs, separated by commas")
}
