//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// kubeletCommand is what kubeadm's systemd unit for the kubelet would run. It fails until kubeadm has written the
// kubelet's configuration; keepRunning then tries again.
func kubeletCommand() (*exec.Cmd, error) {
	const config = "/var/lib/kubelet/config.yaml"
	if !exists(config) {
		return nil, errNotYet
	}
	flags, err := os.ReadFile("/var/lib/kubelet/kubeadm-flags.env")
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("reading kubeadm's kubelet flags: %w", err)
	}
	args := []string{
		"--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
		"--kubeconfig=/etc/kubernetes/kubelet.conf",
		"--config=" + config,
	}
	return exec.Command("kubelet", append(args, parseKubeadmFlags(string(flags))...)...), nil
}

// parseKubeadmFlags reads the flags from KUBELET_KUBEADM_ARGS="--a=b --c=d", the one line of kubeadm's file. No value
// that kubeadm writes holds a space.
func parseKubeadmFlags(env string) []string {
	_, value, _ := strings.Cut(env, "KUBELET_KUBEADM_ARGS=")
	return strings.Fields(strings.Trim(strings.TrimSpace(value), `"`))
}
