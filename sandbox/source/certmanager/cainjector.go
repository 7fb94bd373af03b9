package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	config "github.com/cert-manager/cert-manager/internal/apis/config/cainjector"
	"github.com/cert-manager/cert-manager/internal/apis/config/cainjector/scheme"
	"github.com/cert-manager/cert-manager/internal/apis/config/cainjector/validation"
	"github.com/cert-manager/cert-manager/internal/kube"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	configv1alpha1 "github.com/cert-manager/cert-manager/pkg/apis/config/cainjector/v1alpha1"
	cainjectorfile "github.com/cert-manager/cert-manager/pkg/cainjector/configfile"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/pkg/util/configfile"
)

// cainjectorLease is the only lease that the chart's Role allows the cainjector to update.
const cainjectorLease = "cert-manager-cainjector-leader-election"

var cainjectorProgram = program[config.CAInjectorConfiguration]{
	name:     "cainjector",
	defaults: cainjectorDefaults,
	bind:     bindCAInjector,
	validate: validation.ValidateCAInjectorConfiguration,
	file: func() (configfile.ConfigFile, func() *config.CAInjectorConfiguration) {
		f := cainjectorfile.New()
		return f, func() *config.CAInjectorConfiguration { return f.Config }
	},
}

func cainjectorDefaults() (*config.CAInjectorConfiguration, error) {
	s, _, err := scheme.NewSchemeAndCodecs()
	if err != nil {
		return nil, err
	}
	versioned := &configv1alpha1.CAInjectorConfiguration{}
	s.Default(versioned)
	c := &config.CAInjectorConfiguration{}
	return c, s.Convert(versioned, c, nil)
}

func bindCAInjector(flags *pflag.FlagSet, c *config.CAInjectorConfiguration) {
	flags.StringVar(&c.KubeConfig, "kubeconfig", c.KubeConfig, "path of a kubeconfig file; not needed inside a cluster")
	flags.StringVar(&c.Namespace, "namespace", c.Namespace, "only namespace to read certificates from; empty means all namespaces")
	flags.StringSliceVar(&c.IgnoreNamespaces, "ignore-namespaces", c.IgnoreNamespaces, "namespaces from which no certificates are read")
	bindLeaderElection(flags, &c.LeaderElectionConfig)
	flags.BoolVar(&c.EnableDataSourceConfig.Certificates, "enable-certificates-data-source", c.EnableDataSourceConfig.Certificates, "read CA certificates from Certificate objects")
	flags.BoolVar(&c.EnableInjectableConfig.ValidatingWebhookConfigurations, "enable-validatingwebhookconfigurations-injectable", c.EnableInjectableConfig.ValidatingWebhookConfigurations, "inject into ValidatingWebhookConfigurations")
	flags.BoolVar(&c.EnableInjectableConfig.MutatingWebhookConfigurations, "enable-mutatingwebhookconfigurations-injectable", c.EnableInjectableConfig.MutatingWebhookConfigurations, "inject into MutatingWebhookConfigurations")
	flags.BoolVar(&c.EnableInjectableConfig.CustomResourceDefinitions, "enable-customresourcedefinitions-injectable", c.EnableInjectableConfig.CustomResourceDefinitions, "inject into CustomResourceDefinitions")
	flags.BoolVar(&c.EnableInjectableConfig.APIServices, "enable-apiservices-injectable", c.EnableInjectableConfig.APIServices, "inject into APIServices")
	flags.StringVar(&c.MetricsListenAddress, "metrics-listen-address", c.MetricsListenAddress, "address to serve metrics on; 0 disables metrics")
	bindMetricsTLS(flags, &c.MetricsTLSConfig)
	bindFeatureGates(flags, &c.FeatureGates)
	logf.AddFlags(&c.Logging, flags)
}

// runCAInjector injects CA bundles into webhook configurations, CRD conversions and APIServices
// until ctx is cancelled.
func runCAInjector(ctx context.Context, args []string) error {
	cfg, err := cainjectorProgram.configure(args)
	if err != nil {
		return err
	}
	ctx, err = start(ctx, "cainjector", &cfg.Logging, cfg.FeatureGates)
	if err != nil {
		return err
	}
	defer logf.FlushLogs()

	if err := awaitAPIServer(ctx, "", cfg.KubeConfig); err != nil {
		return err
	}
	mgr, err := newCAInjectorManager(ctx, cfg)
	if err != nil {
		return fmt.Errorf("creating the cainjector's manager: %w", err)
	}
	inject := cfg.EnableInjectableConfig
	err = cainjector.RegisterAllInjectors(ctx, mgr, cainjector.SetupOptions{
		Namespace:                    cfg.Namespace,
		IgnoreNamespaces:             cfg.IgnoreNamespaces,
		EnableCertificatesDataSource: cfg.EnableDataSourceConfig.Certificates,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   inject.MutatingWebhookConfigurations,
			cainjector.ValidatingWebhookConfigurationName: inject.ValidatingWebhookConfigurations,
			cainjector.CustomResourceDefinitionName:       inject.CustomResourceDefinitions,
			cainjector.APIServiceName:                     inject.APIServices,
		},
	})
	if err != nil {
		return fmt.Errorf("registering injectors: %w", err)
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running the cainjector: %w", err)
	}
	return nil
}

func newCAInjectorManager(ctx context.Context, cfg *config.CAInjectorConfiguration) (ctrl.Manager, error) {
	restConfig, err := kube.BuildClientConfig("", cfg.KubeConfig)
	if err != nil {
		return nil, fmt.Errorf("building the client configuration: %w", err)
	}
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, admissionregistrationv1.AddToScheme, apiextensionsv1.AddToScheme, apiregistrationv1.AddToScheme, cmapi.AddToScheme,
	} {
		if err := add(s); err != nil {
			return nil, fmt.Errorf("registering kinds: %w", err)
		}
	}
	options := ctrl.Options{
		Scheme: s,
		Logger: logf.FromContext(ctx),
		// The injectors watch only the metadata of Secrets, and read the few Secrets that they need
		// from the API server. A cache of full Secrets would hold all Secrets of the cluster in
		// memory.
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics:                       metricsserver.Options{BindAddress: cfg.MetricsListenAddress},
		LeaderElection:                cfg.LeaderElectionConfig.Enabled,
		LeaderElectionID:              cainjectorLease,
		LeaderElectionNamespace:       cfg.LeaderElectionConfig.Namespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &cfg.LeaderElectionConfig.LeaseDuration,
		RenewDeadline:                 &cfg.LeaderElectionConfig.RenewDeadline,
		RetryPeriod:                   &cfg.LeaderElectionConfig.RetryPeriod,
	}
	if cfg.Namespace != "" {
		options.Cache = cache.Options{DefaultNamespaces: map[string]cache.Config{cfg.Namespace: {}}}
	}
	return ctrl.NewManager(util.RestConfigWithUserAgent(restConfig, "cainjector"), options)
}
