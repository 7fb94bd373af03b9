//go:build linux

// Command init is PID 1 of a sandbox node that is built from source. It is also the program that
// probes the host of a container engine.
//
// It replaces systemd and the entrypoint in kind's node image. It prepares mounts, cgroups and the
// network, runs containerd and the kubelet, imports the images in the node image, and reaps
// orphans. It does not configure Kubernetes. kind and kubeadm write the configuration, and init
// only waits for the files.
//
//	init            as PID 1: reap orphans and forward signals to "init supervise"
//	init supervise  prepare the node, then run containerd and the kubelet until SIGTERM
//	init probe      print the limits and capabilities of a privileged container on this host as JSON
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
		return fmt.Errorf("invalid argument %q: want supervise, probe or no argument", args[0])
	}
}
