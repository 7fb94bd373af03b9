package main

import (
	"context"
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
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/controller"
	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/provider"
	"github.com/operator-tracing/sandbox/operator/webhook"
)

const (
	// serviceName is what Jaeger shows unless OTEL_SERVICE_NAME says otherwise.
	serviceName = "demo-services-for-tracing"
	leaseName   = "operator-tracing.dummy.example.com"

	// A pod gets 30 s to end: the work in hand may take drainLimit, and what it
	// traced must still get out in the rest.
	drainLimit = 15 * time.Second
	flushLimit = 5 * time.Second
)

// serve runs the operator until ctx ends or something fails, and sends the spans
// that are left before it returns.
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
		return fmt.Errorf("finding the cluster: %w", err)
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

// flush sends the last spans. ctx has ended by now, so only its values count.
func flush(ctx context.Context, traces *provider.Provider, logger logr.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	if err := traces.Shutdown(ctx); err != nil {
		logger.Error(err, "the last spans are lost")
	}
}

// newManager puts the operator together: client, reconcilers and webhook, each
// in its tracing wrapper, and the probes. It starts nothing.
func newManager(cfg *rest.Config, opts options, traces *provider.Provider, logger logr.Logger) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	traced := tracingOptions(opts, scheme, traces.Options()...)
	mgr, err := ctrl.NewManager(tracedConfig(cfg, traced), managerOptions(opts, scheme, traced, logger))
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}

	if err := addControllers(mgr, traced); err != nil {
		return nil, err
	}
	ready := healthz.Ping
	if opts.webhooks {
		if err := addWebhook(mgr, traced); err != nil {
			return nil, err
		}
		// Once ready, the pod gets the API server's calls, so the port must answer.
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

func addControllers(mgr ctrl.Manager, traced []tracing.Option) error {
	heads, wiring := queueOf(&v1alpha1.Head{}, traced)
	if err := controller.SetupHead(mgr, headReconciler(mgr, heads), wiring); err != nil {
		return fmt.Errorf("registering the controller for Head: %w", err)
	}
	children, wiring := queueOf(&v1alpha1.ChildA{}, traced)
	if err := controller.SetupChildA(mgr, childAReconciler(mgr, children), wiring); err != nil {
		return fmt.Errorf("registering the controller for ChildA: %w", err)
	}
	return nil
}

// queueOf gives what lets the spans of a controller for obj tell what its queue
// knows: the options for its reconciler's wrapper, and what to put around it.
func queueOf(obj client.Object, traced []tracing.Option) ([]tracing.Option, controller.Wiring) {
	q := tracing.NewQueueObserver(obj, traced...)
	wiring := controller.Wiring{Options: q.Options, Predicates: []predicate.Predicate{q.Predicate()}}
	return append(slices.Clip(traced), tracing.WithQueueObserver(q)), wiring
}

func headReconciler(mgr ctrl.Manager, traced []tracing.Option) reconcile.Reconciler {
	r := &controller.HeadReconciler{Client: mgr.GetClient(), Scheme: mgr.GetScheme()}
	return tracing.WrapReconciler(&v1alpha1.Head{}, r, traced...)
}

func childAReconciler(mgr ctrl.Manager, traced []tracing.Option) reconcile.Reconciler {
	r := &controller.ChildAReconciler{Client: mgr.GetClient(), Scheme: mgr.GetScheme()}
	return tracing.WrapReconciler(&v1alpha1.ChildA{}, r, traced...)
}

func addWebhook(mgr ctrl.Manager, traced []tracing.Option) error {
	defaulter := tracing.WrapDefaulter(webhook.HeadDefaulter{}, traced...)
	return webhook.SetupHead(mgr, defaulter, tracing.WebhookContext(traced...))
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("adding Kubernetes' kinds: %w", err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("adding Head and ChildA: %w", err)
	}
	return scheme, nil
}

// tracingOptions adds what this operator chooses to the options that say where spans go.
func tracingOptions(opts options, scheme *runtime.Scheme, spans ...tracing.Option) []tracing.Option {
	out := slices.Concat(spans, []tracing.Option{
		tracing.WithScheme(scheme),
		tracing.WithUntrustedContext(opts.untrustedContext),
		tracing.WithRelation(opts.relation),
		tracing.WithConverge(&v1alpha1.Head{}),
		tracing.WithMaxAge(opts.maxAge),
		tracing.WithConvergedAge(opts.convergedAge),
	})
	if trusted := opts.trusted(); len(trusted) > 0 {
		out = append(out, tracing.WithTrustedWriters(trusted...))
	}
	return out
}

// tracedConfig gives a copy of cfg whose requests tell the API server of which span they are.
func tracedConfig(cfg *rest.Config, traced []tracing.Option) *rest.Config {
	out := rest.CopyConfig(cfg)
	out.Wrap(tracing.WrapTransport(traced...))
	return out
}

func managerOptions(opts options, scheme *runtime.Scheme, traced []tracing.Option, logger logr.Logger) ctrl.Options {
	return ctrl.Options{
		Scheme: scheme,
		Logger: logger,
		// Nothing here reads managed fields, and they are most of what a small
		// object weighs.
		Cache: cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		// Reads wait until the cache shows the operator's last write. Otherwise a
		// pass right after a write works on the old copy and writes its status twice.
		Client:                        client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
		NewClient:                     tracing.NewClientFunc(traced...),
		Metrics:                       metricsserver.Options{BindAddress: opts.metricsAddress},
		HealthProbeBindAddress:        opts.probeAddress,
		WebhookServer:                 ctrlwebhook.NewServer(ctrlwebhook.Options{Host: opts.webhookHost, Port: opts.webhookPort, CertDir: opts.webhookCertDir}),
		LeaderElection:                opts.leaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       opts.namespace,
		LeaderElectionReleaseOnCancel: true, // after Start returns, only spans are sent
		GracefulShutdownTimeout:       ptr.To(drainLimit),
	}
}
