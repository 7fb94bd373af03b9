// Command kwok simulates the node of a sandbox that has no container engine. It reports to the API
// server as a kubelet does, but runs no containers.
//
// The controllers come from kwok's module. This package adds the parts that a single node needs:
//
//   - the stages of Pods and the node (stages.go), and their statuses (status.go)
//   - Pod addresses that stay unique after a restart of the program (addresses.go)
//   - the lease of the node (node.go)
//   - volumes for claims (volumes.go)
//
// Containers start immediately and run until their Pod is deleted. Logs, exec and port-forward do
// not work, and no process listens on a Pod address. Pods of Jobs succeed. Images of the registry
// invalid.example cannot be pulled, so that tests can use a Pod that does not start.
//
// The sandbox starts kwok with a kubeconfig. kwok waits until its Node exists, but does not create
// the Node. It does not listen on any port, and exits on SIGTERM. config/node contains its
// permissions: to read its Node, to list, watch and delete Pods, to patch the status of both, to
// renew the node's lease, to list and watch claims, to list, watch, create and delete volumes, and
// to create events. It never writes the metadata or the spec of a Pod or the node.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kwok/pkg/kwok/controllers"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/gotpl"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := exitCode(ctx, run(ctx, os.Args[1:]))
	stop()
	os.Exit(code)
}

// exitCode prints err and returns the exit code: 0 after success, SIGTERM or --help, 2 after a
// usage error, 1 after any other error.
func exitCode(ctx context.Context, err error) int {
	if err == nil || errors.Is(err, pflag.ErrHelp) || ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return 0
	}
	fmt.Fprintf(os.Stderr, "kwok: %v\n", err)
	if usage := (usageError{}); errors.As(err, &usage) {
		return 2
	}
	return 1
}

// usageError is an invalid argument or flag. Other errors occur at run time.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// options are the values of the flags.
type options struct {
	kubeconfig string
	node       string
	pods       netip.Prefix
	lease      time.Duration
	version    bool
}

func parse(args []string) (options, error) {
	var o options
	var pods string
	flags := pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "path of the kubeconfig file; required")
	flags.StringVar(&o.node, "node", "", "name of the Node to simulate; required")
	flags.StringVar(&pods, "pod-cidr", "10.244.0.0/16", "range of the Pod addresses; no process listens on them")
	flags.DurationVar(&o.lease, "node-lease-duration", 40*time.Second, "duration of the node's lease; kwok renews it after a quarter of the duration")
	flags.BoolVar(&o.version, "version", false, "print kwok's version and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return o, err
		}
		return o, usageError{err}
	}
	var err error
	if o.pods, err = netip.ParsePrefix(pods); err != nil {
		return o, usageError{fmt.Errorf("parsing --pod-cidr: %w", err)}
	}
	switch {
	case flags.NArg() > 0:
		return o, usageError{fmt.Errorf("unexpected argument %q", flags.Arg(0))}
	case o.version:
	case o.kubeconfig == "":
		return o, usageError{errors.New("--kubeconfig is required")}
	case o.node == "":
		return o, usageError{errors.New("--node is required")}
	case o.lease < time.Second:
		return o, usageError{fmt.Errorf("invalid --node-lease-duration %s: want at least 1s", o.lease)}
	case o.pods.Bits() > o.pods.Addr().BitLen()-2:
		return o, usageError{fmt.Errorf("invalid --pod-cidr %s: want a prefix length of at most %d", o.pods, o.pods.Addr().BitLen()-2)}
	}
	return o, nil
}

// run simulates the node until ctx is cancelled.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.version {
		fmt.Println(version())
		return nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("reading kubeconfig %s: %w", o.kubeconfig, err)
	}
	config.UserAgent = "kwok/" + version()
	config.QPS = -1 // Without a limit, a burst of Pods starts immediately. The API server limits requests itself.
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("creating a client from kubeconfig %s: %w", o.kubeconfig, err)
	}
	logger := log.NewLogger(os.Stderr, log.LevelInfo)
	ctx = log.NewContext(ctx, logger)
	logger.Info("Starting", "version", version(), "node", o.node, "podCIDR", o.pods.String())
	return play(ctx, client, o)
}

// play waits until the node exists, runs kwok's controllers, creates volumes for claims and renews
// the lease until ctx is cancelled.
func play(ctx context.Context, client kubernetes.Interface, o options) error {
	if err := waitForNode(ctx, client, o.node); err != nil {
		return err
	}
	pods := newAddresses(o.pods, func() (map[types.UID]netip.Addr, error) { return podAddresses(ctx, client, o.node) })
	controller, err := controllers.NewController(controllers.Config{
		TypedClient:      client,
		ManageSingleNode: o.node,
		LocalStages:      stages(),
		FuncMap:          gotpl.FuncMap(statuses{addresses: pods, now: time.Now}.functions()),
		CIDR:             o.pods.String(),
		NodeIP:           nodeAddress,
		NodeName:         o.node,
		// 0 disables kwok's own lease. Its holder identity changes at every start, so a restarted
		// kwok would not handle Pods until the old lease expires.
		NodeLeaseDurationSeconds:  0,
		NodePlayStageParallelism:  1,
		PodPlayStageParallelism:   4,
		PodsOnNodeSyncParallelism: 1,
	})
	if err != nil {
		return fmt.Errorf("creating kwok's controllers: %w", err)
	}
	if err := controller.Start(ctx); err != nil {
		return fmt.Errorf("starting kwok's controllers: %w", err)
	}
	var provisioning sync.WaitGroup
	provisioning.Go(func() { provision(ctx, client) })
	renewLease(ctx, client, o.node, o.lease)
	provisioning.Wait()
	return nil
}

// version returns the version of kwok's module, or "unknown".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if module.Path == "sigs.k8s.io/kwok" {
			return module.Version
		}
	}
	return "unknown"
}
