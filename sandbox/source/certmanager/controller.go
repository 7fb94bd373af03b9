package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	config "github.com/cert-manager/cert-manager/internal/apis/config/controller"
	"github.com/cert-manager/cert-manager/internal/pem"
	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	logf "github.com/cert-manager/cert-manager/pkg/logs"

	// Each package registers its controller, or its kind of issuer, in an init function.
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
)

// controllerLease is the only lease that the chart's Role allows the controller to update.
const controllerLease = "cert-manager-controller"

// errLostLease is returned if another process may hold the lease. The process must then exit. After
// a restart it tries to acquire the lease again.
var errLostLease = errors.New("lost the lease " + controllerLease)

// runController issues certificates until ctx is cancelled.
func runController(ctx context.Context, args []string) error {
	cfg, err := controllerProgram.configure(args)
	if err != nil {
		return err
	}
	ctx, err = start(ctx, "controller", &cfg.Logging, cfg.FeatureGates)
	if err != nil {
		return err
	}
	defer logf.FlushLogs()
	limits := cfg.PEMSizeLimitsConfig
	pem.SetGlobalSizeLimits(pem.NewSizeLimitsFromConfig(limits.MaxCertificateSize, limits.MaxPrivateKeySize, limits.MaxChainLength, limits.MaxBundleSize))

	if err := awaitAPIServer(ctx, cfg.APIServerHost, cfg.KubeConfig); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	factory, err := controller.NewContextFactory(ctx, contextOptions(cfg))
	if err != nil {
		return fmt.Errorf("creating the factory of the controllers' context: %w", err)
	}
	root, err := factory.Build()
	if err != nil {
		return fmt.Errorf("building the controllers' context: %w", err)
	}
	health := healthz.NewServer(cfg.LeaderElectionConfig.HealthzTimeout)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.HealthzListenAddress)
	if err != nil {
		return fmt.Errorf("listening for health checks: %w", err)
	}
	group.Go(func() error { return health.Start(ctx, listener) })

	work := func(ctx context.Context) error { return runControllers(ctx, cfg, factory, root) }
	group.Go(func() error {
		if !cfg.LeaderElectionConfig.Enabled {
			return work(ctx)
		}
		return lead(ctx, cfg, root, health.LeaderHealthzAdaptor, work)
	})
	return group.Wait()
}

// runControllers runs every enabled controller until ctx is cancelled or a controller fails.
func runControllers(ctx context.Context, cfg *config.ControllerConfiguration, factory *controller.ContextFactory, root *controller.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	running := make(map[string]controller.Interface)
	for _, name := range enabledControllers(cfg) {
		c, err := controller.Known()[name](factory)
		if err != nil {
			return fmt.Errorf("building controller %s: %w", name, err)
		}
		running[name] = c
	}
	// The constructors of the controllers set collectors, and the server registers them. So the
	// server is created after the controllers.
	if err := serveMetrics(ctx, group, cfg.MetricsListenAddress, root); err != nil {
		return err
	}
	for name, c := range running {
		group.Go(func() error {
			if err := c.Run(cfg.NumberOfConcurrentWorkers, ctx); err != nil {
				return fmt.Errorf("running controller %s: %w", name, err)
			}
			return nil
		})
	}
	// The constructor of a controller requests its informers from the factories. The factories
	// start after all constructors, because they start only the informers that were requested
	// before.
	root.SharedInformerFactory.Start(ctx.Done())
	root.KubeSharedInformerFactory.Start(ctx.Done())
	root.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}

// serveMetrics serves Prometheus metrics in group until ctx is cancelled. Address 0 disables
// metrics.
func serveMetrics(ctx context.Context, group *errgroup.Group, address string, root *controller.Context) error {
	if address == "0" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening for metrics: %w", err)
	}
	server := root.Metrics.NewServer(listener)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving metrics: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return server.Shutdown(shutdown)
	})
	return nil
}

// lead acquires the lease and runs work while this process holds it. It releases the lease when ctx
// is cancelled, so that a successor does not wait until the lease expires. It returns errLostLease
// if the lease was lost before that.
func lead(ctx context.Context, cfg *config.ControllerConfiguration, root *controller.Context, watchdog *leaderelection.HealthzAdaptor, work func(context.Context) error) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("reading the host name for leader election: %w", err)
	}
	identity := fmt.Sprintf("%s-%d", host, os.Getpid())
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, cfg.LeaderElectionConfig.Namespace, controllerLease,
		resourcelock.ResourceLockConfig{Identity: identity, EventRecorder: root.Recorder}, root.RESTConfig, cfg.LeaderElectionConfig.RenewDeadline)
	if err != nil {
		return fmt.Errorf("creating the lock for lease %s/%s: %w", cfg.LeaderElectionConfig.Namespace, controllerLease, err)
	}

	running, cancel := context.WithCancel(ctx)
	defer cancel()
	worked := make(chan error, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   cfg.LeaderElectionConfig.LeaseDuration,
		RenewDeadline:   cfg.LeaderElectionConfig.RenewDeadline,
		RetryPeriod:     cfg.LeaderElectionConfig.RetryPeriod,
		ReleaseOnCancel: true,
		WatchDog:        watchdog,
		Name:            controllerLease,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				worked <- work(ctx)
				cancel()
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("setting up leader election: %w", err)
	}
	elector.Run(running)
	select {
	case err := <-worked:
		if err != nil {
			return err
		}
	default:
	}
	if ctx.Err() != nil {
		return nil
	}
	return errLostLease
}
