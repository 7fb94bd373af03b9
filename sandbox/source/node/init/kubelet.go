//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// kubeletCommand returns the command line of kubeadm's systemd unit for the kubelet. It returns
// errNotYet until kubeadm has written the kubelet's configuration; keepRunning then retries.
func kubeletCommand() (*exec.Cmd, error) {
	const config = "/var/lib/kubelet/config.yaml"
	if !exists(config) {
		return nil, errNotYet
	}
	flags, err := os.ReadFile("/var/lib/kubelet/kubeadm-flags.env")
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("reading kubeadm's flags for the kubelet: %w", err)
	}
	args := []string{
		"--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
		"--kubeconfig=/etc/kubernetes/kubelet.conf",
		"--config=" + config,
	}
	return exec.Command("kubelet", append(args, parseKubeadmFlags(string(flags))...)...), nil
}

// parseKubeadmFlags returns the flags in KUBELET_KUBEADM_ARGS="--a=b --c=d", the only line of
// kubeadm's file. The values that kubeadm writes do not contain spaces.
func parseKubeadmFlags(env string) []string {
	_, value, _ := strings.Cut(env, "KUBELET_KUBEADM_ARGS=")
	return strings.Fields(strings.Trim(strings.TrimSpace(value), `"`))
}
