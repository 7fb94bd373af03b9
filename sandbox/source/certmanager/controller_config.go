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

// controllerProgram takes no configuration file: the package that decodes it, like the ones that default and
// validate it, imports every controller there is, ACME's and Venafi's included. The chart passes flags unless it is given
// a file to pass.
var controllerProgram = program[config.ControllerConfiguration]{
	name:     "controller",
	defaults: controllerDefaults,
	bind:     bindController,
	validate: validateController,
}

// controllerDefaults gives the documented defaults of the fields that the linked controllers read.
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
	flags.StringVar(&c.KubeConfig, "kubeconfig", c.KubeConfig, "path of a kubeconfig; inside a cluster none is needed")
	flags.Float32Var(&c.KubernetesAPIQPS, "kube-api-qps", c.KubernetesAPIQPS, "requests a second to an API server without priority and fairness")
	flags.IntVar(&c.KubernetesAPIBurst, "kube-api-burst", c.KubernetesAPIBurst, "burst of requests to an API server without priority and fairness")
	flags.StringVar(&c.Namespace, "namespace", c.Namespace, "only namespace to work in; empty means all, and ClusterIssuers")
	flags.StringVar(&c.ClusterResourceNamespace, "cluster-resource-namespace", c.ClusterResourceNamespace, "namespace of the Secrets of ClusterIssuers")
	bindLeaderElection(flags, &c.LeaderElectionConfig.LeaderElectionConfig)
	flags.StringSliceVar(&c.Controllers, "controllers", c.Controllers, "controllers to run: * for all, -NAME for all but that one")
	flags.BoolVar(&c.EnableCertificateOwnerRef, "enable-certificate-owner-ref", c.EnableCertificateOwnerRef, "make a Certificate the owner of its Secret")
	flags.StringSliceVar(&c.CopiedAnnotationPrefixes, "copied-annotation-prefixes", c.CopiedAnnotationPrefixes, "annotations that a CertificateRequest gets from its Certificate")
	flags.IntVar(&c.NumberOfConcurrentWorkers, "concurrent-workers", c.NumberOfConcurrentWorkers, "workers of each controller")
	flags.DurationVar(&c.CertificateRequestMinimumBackoffDuration, "certificate-request-minimum-backoff-duration", c.CertificateRequestMinimumBackoffDuration, "wait after the first failed request")
	flags.DurationVar(&c.CertificateRequestMaximumBackoffDuration, "certificate-request-maximum-backoff-duration", c.CertificateRequestMaximumBackoffDuration, "longest wait after a failed request")
	flags.StringVar(&c.MetricsListenAddress, "metrics-listen-address", c.MetricsListenAddress, "address to serve metrics on; 0 turns them off")
	flags.StringVar(&c.HealthzListenAddress, "internal-healthz-listen-address", c.HealthzListenAddress, "address to serve /livez on")
	bindFeatureGates(flags, &c.FeatureGates)
	bindUnlinked(flags, c)
	logf.AddFlags(&c.Logging, flags)
}

// bindUnlinked accepts the chart's flags for controllers that aren't linked, so that the chart needs no changes.
func bindUnlinked(flags *pflag.FlagSet, c *config.ControllerConfiguration) {
	const unlinked = "accepted without effect: ACME and the Ingress shim are not in this binary"
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
			fmt.Sprintf("must be at least the minimum, %s, which must not be negative", low)))
	}
	known := controller.Known()
	for i, name := range c.Controllers {
		if _, ok := known[strings.TrimPrefix(name, "-")]; !ok && name != "*" {
			errs = append(errs, field.NotSupported(path.Child("controllers").Index(i), name, sets.List(sets.KeySet(known))))
		}
	}
	return errs
}

// enabledControllers returns the names of the controllers that c turns on, sorted.
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
