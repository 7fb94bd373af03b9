package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/controller"
	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/provider"
	"github.com/operator-tracing/sandbox/operator/webhook"
)

const (
	// serviceName is the service name in Jaeger unless OTEL_SERVICE_NAME sets another.
	serviceName = "demo-services-for-tracing"
	leaseName   = "operator-tracing.dummy.example.com"

	// The kubelet kills a pod 30 s after it asks the pod to stop. Running reconciles may take
	// drainLimit of that time. The rest is for the export of their spans.
	drainLimit = 15 * time.Second
	flushLimit = 5 * time.Second
)

// serve runs the operator until ctx is cancelled or the manager fails. It exports the remaining spans
// before it returns.
func serve(ctx context.Context, opts options, logger logr.Logger) error {
	ctrl.SetLogger(logger)
	klog.SetLogger(logger.WithName("client-go"))

	traces, err := provider.New(ctx, provider.WithServiceName(serviceName), provider.WithLogger(logger.WithName("otel")), provider.WithRegisterer(metrics.Registry))
	if err != nil {
		return fmt.Errorf("setting up tracing: %w", err)
	}
	defer flush(ctx, traces, logger)

	cfg, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("loading the client configuration: %w", err)
	}
	mgr, err := newManager(cfg, opts, traces, logger)
	if err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running the manager: %w", err)
	}
	return nil
}

// flush exports the remaining spans. ctx is cancelled by then, so flush uses only its values.
func flush(ctx context.Context, traces *provider.Provider, logger logr.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	if err := traces.Shutdown(ctx); err != nil {
		logger.Error(err, "Failed to export the last spans")
	}
}

// newManager creates the manager with the controllers, the webhook and the health checks. All tracing is
// here: tracedConfig and WrapManager. newManager starts nothing.
func newManager(cfg *rest.Config, opts options, traces *provider.Provider, logger logr.Logger) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	traced := tracingOptions(opts, traces.Options()...)
	mgr, err := ctrl.NewManager(tracedConfig(cfg, traced), managerOptions(opts, scheme, logger))
	if err != nil {
		return nil, fmt.Errorf("creating the manager: %w", err)
	}
	mgr = tracing.WrapManager(mgr, traced...)

	if err := addControllers(mgr); err != nil {
		return nil, err
	}
	ready := healthz.Ping
	if opts.webhooks {
		if err := webhook.SetupHead(mgr); err != nil {
			return nil, err
		}
		// The API server calls the webhook of a ready pod, so its port must be open by then.
		ready = mgr.GetWebhookServer().StartedChecker()
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding the liveness check: %w", err)
	}
	if err := mgr.AddReadyzCheck("webhook", ready); err != nil {
		return nil, fmt.Errorf("adding the readiness check: %w", err)
	}
	return mgr, nil
}

func addControllers(mgr ctrl.Manager) error {
	heads, children := newReconcilers(mgr)
	if err := heads.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("registering the controller for Head: %w", err)
	}
	if err := children.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("registering the controller for ChildA: %w", err)
	}
	return nil
}

func newReconcilers(mgr ctrl.Manager) (*controller.HeadReconciler, *controller.ChildAReconciler) {
	return &controller.HeadReconciler{Client: mgr.GetClient(), Scheme: mgr.GetScheme()},
		&controller.ChildAReconciler{Client: mgr.GetClient(), Scheme: mgr.GetScheme()}
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("adding the Kubernetes kinds: %w", err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("adding Head and ChildA: %w", err)
	}
	return scheme, nil
}

// tracingOptions adds the operator's options to the exporter's.
func tracingOptions(opts options, exporter ...tracing.Option) []tracing.Option {
	return append(slices.Clip(exporter),
		tracing.WithUntrustedContext(opts.untrustedContext),
		tracing.WithTrustedWriters(opts.trustedWriters...),
		tracing.WithRelation(opts.relation),
		tracing.WithConverge(&v1alpha1.Head{}),
		tracing.WithMaxAge(opts.maxAge),
		tracing.WithConvergedAge(opts.convergedAge),
	)
}

// tracedConfig returns a copy of cfg whose requests carry the context of their span in a header.
func tracedConfig(cfg *rest.Config, traced []tracing.Option) *rest.Config {
	out := rest.CopyConfig(cfg)
	out.Wrap(tracing.WrapTransport(traced...))
	return out
}

func managerOptions(opts options, scheme *runtime.Scheme, logger logr.Logger) ctrl.Options {
	return ctrl.Options{
		Scheme: scheme,
		Logger: logger,
		// The operator never reads managed fields. They are the larger part of a small object.
		Cache: cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		// A read waits until the cache contains the operator's last write. Otherwise a reconcile
		// right after a write would read the old object and write its status twice.
		Client:                        client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
		NewClient:                     newClient,
		Metrics:                       metricsserver.Options{BindAddress: opts.metricsAddress},
		HealthProbeBindAddress:        opts.probeAddress,
		WebhookServer:                 webhookServer(opts),
		LeaderElection:                opts.leaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       opts.namespace,
		LeaderElectionReleaseOnCancel: true, // after Start returns, the process only exports spans
		GracefulShutdownTimeout:       ptr.To(drainLimit),
	}
}

// webhookServer returns the server of the webhook. A review has the name of a user, whose trace
// contexts may be trusted, so only the API server should be able to send one.
func webhookServer(opts options) ctrlwebhook.Server {
	o := ctrlwebhook.Options{Host: opts.webhookHost, Port: opts.webhookPort, CertDir: opts.webhookCertDir}
	if opts.webhookClients != nil {
		o.TLSOpts = []func(*tls.Config){func(c *tls.Config) {
			c.ClientCAs, c.ClientAuth = opts.webhookClients, tls.RequireAndVerifyClientCert
		}}
	}
	return ctrlwebhook.NewServer(o)
}
