// Command kubernetes contains every Kubernetes program of a sandbox cluster, and etcd, in one
// binary. The programs of a node (kubelet, kube-proxy and kubeadm) exist only on Linux. The control
// plane and kubectl build for every operating system that Go supports.
//
// As in busybox, the last element of argv[0] selects the program, so each program has its own link
// to the binary. One binary contains the shared code once. Its stripped size is about 180 MB; eight
// separate binaries have more than 700 MB.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// programs maps the name of a program to its main function, which returns the exit code or exits
// the process.
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
		fmt.Fprintf(os.Stderr, "%s: not the name of a program; run this binary through a link with one of the names %s\n", name, strings.Join(names, ", "))
		os.Exit(2)
	}
	os.Exit(program())
}
