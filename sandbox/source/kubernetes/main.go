// Command kubernetes is every Kubernetes program of a sandbox cluster, and etcd, in one binary. What runs or makes a node,
// kubelet, kube-proxy and kubeadm, is there on Linux alone; the control plane builds for every system that Go knows.
//
// The name it is called by (argv[0], so a link per program) chooses the program, as busybox does. One binary
// links the code that the programs share once: about 180 MB stripped against over 700 MB for eight of them.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// programs maps the name of a program to its main function. Each ends the process itself or returns its exit code.
var programs = map[string]func() int{
	"etcd":                    etcd,
	"kube-apiserver":          kubeAPIServer,
	"kube-controller-manager": kubeControllerManager,
	"kube-scheduler":          kubeScheduler,
	"kubectl":                 kubectl,
}

func main() {
	name := filepath.Base(os.Args[0])
	program, known := programs[name]
	if !known {
		names := slices.Sorted(maps.Keys(programs))
		fmt.Fprintf(os.Stderr, "%s: call this binary through a link named %s\n", name, strings.Join(names, ", "))
		os.Exit(2)
	}
	os.Exit(program())
}
