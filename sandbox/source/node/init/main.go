//go:build linux

// Command init is PID 1 of a sandbox node that was built from source, and the probe of a container engine.
//
// It stands where kind's node image has systemd and kind's entrypoint: it prepares mounts, cgroups and the network,
// runs containerd and the kubelet, imports the images that the node image carries, and reaps orphans. It never
// configures Kubernetes: kind and kubeadm do, through files that this program only waits for.
//
//	init            as PID 1: reap orphans and forward signals to "init supervise"
//	init supervise  prepare the node, then run containerd and the kubelet until SIGTERM
//	init probe      print what a privileged container gets on this host, as JSON, and exit
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "init: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		return reap()
	case args[0] == "supervise":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		return supervise(ctx)
	case args[0] == "probe":
		return probe(os.Stdout)
	default:
		return fmt.Errorf("unknown argument %q: call it with none, supervise or probe", args[0])
	}
}
