package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	logsapi "k8s.io/component-base/logs/api/v1"

	config "github.com/cert-manager/cert-manager/internal/apis/config/controller"
	"github.com/cert-manager/cert-manager/internal/apis/config/shared"
	sharedvalidation "github.com/cert-manager/cert-manager/internal/apis/config/shared/validation"
	"github.com/cert-manager/cert-manager/internal/pem"
	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

// controllerProgram does not support a configuration file. cert-manager's packages that decode,
// default and validate the file import every controller, including ACME and Venafi. The chart
// passes flags unless its values contain a configuration.
var controllerProgram = program[config.ControllerConfiguration]{
	name:     "controller",
	defaults: controllerDefaults,
	bind:     bindController,
	validate: validateController,
}

// controllerDefaults returns the documented defaults of the fields that the linked controllers
// read.
func controllerDefaults() (*config.ControllerConfiguration, error) {
	limits := pem.DefaultSizeLimits()
	c := &config.ControllerConfiguration{
		KubernetesAPIQPS:         20,
		KubernetesAPIBurst:       50,
		ClusterResourceNamespace: "kube-system",
		LeaderElectionConfig: config.LeaderElectionConfig{
			LeaderElectionConfig: shared.LeaderElectionConfig{
				Enabled:       true,
				Namespace:     "kube-system",
				LeaseDuration: 60 * time.Second,
				RenewDeadline: 40 * time.Second,
				RetryPeriod:   15 * time.Second,
			},
			HealthzTimeout: 20 * time.Second,
		},
		Controllers:                              []string{"*"},
		CopiedAnnotationPrefixes:                 []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
		NumberOfConcurrentWorkers:                5,
		MaxConcurrentChallenges:                  60,
		MetricsListenAddress:                     "0.0.0.0:9402",
		HealthzListenAddress:                     "0.0.0.0:9403",
		CertificateRequestMinimumBackoffDuration: time.Hour,
		CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		PEMSizeLimitsConfig: config.PEMSizeLimitsConfig{
			MaxCertificateSize: limits.MaxCertificateSize,
			MaxPrivateKeySize:  limits.MaxPrivateKeySize,
			MaxChainLength:     limits.MaxChainLength,
			MaxBundleSize:      limits.MaxBundleSize,
		},
	}
	logsapi.SetRecommendedLoggingConfiguration(&c.Logging)
	return c, nil
}

func bindController(flags *pflag.FlagSet, c *config.ControllerConfiguration) {
	flags.StringVar(&c.KubeConfig, "kubeconfig", c.KubeConfig, "path of a kubeconfig file; not needed inside a cluster")
	flags.Float32Var(&c.KubernetesAPIQPS, "kube-api-qps", c.KubernetesAPIQPS, "requests per second to an API server without priority and fairness")
	flags.IntVar(&c.KubernetesAPIBurst, "kube-api-burst", c.KubernetesAPIBurst, "burst of requests to an API server without priority and fairness")
	flags.StringVar(&c.Namespace, "namespace", c.Namespace, "only namespace to work in; empty means all namespaces and ClusterIssuers")
	flags.StringVar(&c.ClusterResourceNamespace, "cluster-resource-namespace", c.ClusterResourceNamespace, "namespace of the Secrets of ClusterIssuers")
	bindLeaderElection(flags, &c.LeaderElectionConfig.LeaderElectionConfig)
	flags.StringSliceVar(&c.Controllers, "controllers", c.Controllers, "controllers to run: * for all; -NAME excludes a controller")
	flags.BoolVar(&c.EnableCertificateOwnerRef, "enable-certificate-owner-ref", c.EnableCertificateOwnerRef, "set the Certificate as the owner of its Secret")
	flags.StringSliceVar(&c.CopiedAnnotationPrefixes, "copied-annotation-prefixes", c.CopiedAnnotationPrefixes, "prefixes of annotations to copy from a Certificate to its CertificateRequests; -PREFIX excludes a prefix")
	flags.IntVar(&c.NumberOfConcurrentWorkers, "concurrent-workers", c.NumberOfConcurrentWorkers, "number of workers of each controller")
	flags.DurationVar(&c.CertificateRequestMinimumBackoffDuration, "certificate-request-minimum-backoff-duration", c.CertificateRequestMinimumBackoffDuration, "back-off after the first failed request")
	flags.DurationVar(&c.CertificateRequestMaximumBackoffDuration, "certificate-request-maximum-backoff-duration", c.CertificateRequestMaximumBackoffDuration, "longest back-off after a failed request")
	flags.StringVar(&c.MetricsListenAddress, "metrics-listen-address", c.MetricsListenAddress, "address to serve metrics on; 0 disables metrics")
	flags.StringVar(&c.HealthzListenAddress, "internal-healthz-listen-address", c.HealthzListenAddress, "address to serve /livez on")
	bindFeatureGates(flags, &c.FeatureGates)
	bindUnlinked(flags, c)
	logf.AddFlags(&c.Logging, flags)
}

// bindUnlinked defines the chart's flags for controllers that are not linked, so that the chart
// works without changes.
func bindUnlinked(flags *pflag.FlagSet, c *config.ControllerConfiguration) {
	const unlinked = "no effect; this binary does not contain ACME or the Ingress shim"
	http01, dns01, shim := &c.ACMEHTTP01Config, &c.ACMEDNS01Config, &c.IngressShimConfig
	flags.StringVar(&http01.SolverImage, "acme-http01-solver-image", "", unlinked)
	flags.StringVar(&http01.SolverRuntimeClassName, "acme-http01-solver-runtime-class-name", "", unlinked)
	flags.StringToStringVar(&http01.SolverExtraLabels, "acme-http01-solver-extra-labels", nil, unlinked)
	flags.IntVar(&c.MaxConcurrentChallenges, "max-concurrent-challenges", c.MaxConcurrentChallenges, unlinked)
	flags.BoolVar(&dns01.RecursiveNameserversOnly, "dns01-recursive-nameservers-only", false, unlinked)
	flags.StringSliceVar(&dns01.RecursiveNameservers, "dns01-recursive-nameservers", nil, unlinked)
	flags.StringVar(&shim.DefaultIssuerName, "default-issuer-name", "", unlinked)
	flags.StringVar(&shim.DefaultIssuerKind, "default-issuer-kind", "", unlinked)
	flags.StringVar(&shim.DefaultIssuerGroup, "default-issuer-group", "", unlinked)
}

func validateController(c *config.ControllerConfiguration, path *field.Path) field.ErrorList {
	errs := logsapi.Validate(&c.Logging, nil, path.Child("logging"))
	errs = append(errs, sharedvalidation.ValidateLeaderElectionConfig(&c.LeaderElectionConfig.LeaderElectionConfig, path.Child("leaderElectionConfig"))...)
	if c.NumberOfConcurrentWorkers < 1 {
		errs = append(errs, field.Invalid(path.Child("numberOfConcurrentWorkers"), c.NumberOfConcurrentWorkers, "must be at least 1"))
	}
	if low, high := c.CertificateRequestMinimumBackoffDuration, c.CertificateRequestMaximumBackoffDuration; low < 0 || high < low {
		errs = append(errs, field.Invalid(path.Child("certificateRequestMaximumBackoffDuration"), high.String(),
			fmt.Sprintf("must be at least the minimum, %s; the minimum must not be negative", low)))
	}
	known := controller.Known()
	for i, name := range c.Controllers {
		if _, ok := known[strings.TrimPrefix(name, "-")]; !ok && name != "*" {
			errs = append(errs, field.NotSupported(path.Child("controllers").Index(i), name, sets.List(sets.KeySet(known))))
		}
	}
	return errs
}

// enabledControllers returns the sorted names of the controllers that c enables. If c names a
// namespace, the controller of ClusterIssuers is disabled.
func enabledControllers(c *config.ControllerConfiguration) []string {
	named := sets.New(c.Controllers...)
	enabled := sets.New[string]()
	for name := range controller.Known() {
		if (named.Has("*") || named.Has(name)) && !named.Has("-"+name) {
			enabled.Insert(name)
		}
	}
	if c.Namespace != "" {
		enabled.Delete(clusterissuers.ControllerName)
	}
	return sets.List(enabled)
}

func contextOptions(c *config.ControllerConfiguration) controller.ContextOptions {
	return controller.ContextOptions{
		Kubeconfig:         c.KubeConfig,
		KubernetesAPIQPS:   c.KubernetesAPIQPS,
		KubernetesAPIBurst: c.KubernetesAPIBurst,
		Namespace:          c.Namespace,
		IssuerOptions:      controller.IssuerOptions{ClusterResourceNamespace: c.ClusterResourceNamespace},
		CertificateOptions: controller.CertificateOptions{
			EnableOwnerRef:                           c.EnableCertificateOwnerRef,
			CopiedAnnotationPrefixes:                 c.CopiedAnnotationPrefixes,
			CertificateRequestMinimumBackoffDuration: c.CertificateRequestMinimumBackoffDuration,
			CertificateRequestMaximumBackoffDuration: c.CertificateRequestMaximumBackoffDuration,
		},
	}
}
