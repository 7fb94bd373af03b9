// Command kwok is the node of a sandbox that has no container engine: it tells the API server what a kubelet would tell it,
// and runs nothing.
//
// The controllers are kwok's own, from its module. What is written here is what a single-purpose node needs around them:
// the stages that Pods and the node go through (stages.go), what their statuses say then (status.go), Pod addresses that
// stay unique when the program is started anew (addresses.go), and the node's lease (node.go). Containers start at once,
// run until their Pod is deleted, and can't be looked into: there are no logs, no exec and no port to ask for them, and
// nothing answers at a Pod's address. Pods of Jobs succeed. Images below invalid.example can't be pulled, which gives tests
// a Pod that doesn't start.
//
// The sandbox starts it with a kubeconfig; it waits until its Node exists, which somebody else has to make. It listens
// nowhere and ends on SIGTERM. It needs the permissions that config/node gives it: for its Node, get, list, watch and patch
// of the status; for Pods also delete; leases in kube-node-lease; and events. It never writes a Pod's or the node's
// metadata or spec.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
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

// exitCode is 0 also after SIGTERM and --help, 2 for wrong usage.
func exitCode(ctx context.Context, err error) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp), ctx.Err() != nil && errors.Is(err, context.Canceled):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "kwok: %v\n", err)
		return 2
	default:
		fmt.Fprintf(os.Stderr, "kwok: %v\n", err)
		return 1
	}
}

// usageError is a wrong flag or value, as opposed to something that failed while running.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// options is what the flags say.
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
	flags.StringVar(&o.node, "node", "", "name of the Node to play; required")
	flags.StringVar(&pods, "pod-cidr", "10.244.0.0/16", "range of the addresses that Pods are given; none of them answers")
	flags.DurationVar(&o.lease, "node-lease-duration", 40*time.Second, "time after which the unrenewed lease of the node expires; it is renewed in a quarter of that")
	flags.BoolVar(&o.version, "version", false, "print kwok's version and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return o, err
		}
		return o, usageError{err}
	}
	var err error
	if o.pods, err = netip.ParsePrefix(pods); err != nil {
		return o, usageError{fmt.Errorf("reading --pod-cidr: %w", err)}
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
		return o, usageError{fmt.Errorf("--node-lease-duration is %s, but leases count whole seconds", o.lease)}
	case o.pods.Bits() > o.pods.Addr().BitLen()-2:
		return o, usageError{fmt.Errorf("--pod-cidr is %s, which has no room for Pods", o.pods)}
	}
	return o, nil
}

// run plays the node until ctx is done.
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
	config.QPS = -1 // A burst of Pods is answered at once; the API server defends itself.
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client from kubeconfig %s: %w", o.kubeconfig, err)
	}
	logger := log.NewLogger(os.Stderr, log.LevelInfo)
	ctx = log.NewContext(ctx, logger)
	logger.Info("Starting", "version", version(), "node", o.node, "podCIDR", o.pods.String())
	return play(ctx, client, o)
}

// play starts kwok's controllers once the node exists.
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
		// No lease of kwok's, whose holder is another at every start: it would have to expire before Pods are served again.
		NodeLeaseDurationSeconds:  0,
		NodePlayStageParallelism:  1,
		PodPlayStageParallelism:   4,
		PodsOnNodeSyncParallelism: 1,
	})
	if err != nil {
		return fmt.Errorf("making kwok's controllers: %w", err)
	}
	if err := controller.Start(ctx); err != nil {
		return fmt.Errorf("starting kwok's controllers: %w", err)
	}
	renewLease(ctx, client, o.node, o.lease)
	return nil
}

// version is that of kwok's module, from which everything that matters comes.
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
