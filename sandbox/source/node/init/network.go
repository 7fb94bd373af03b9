//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// errNotYet says that something which kubeadm writes is not there yet.
var errNotYet = errors.New("kubeadm has not configured the node yet")

const (
	oldAddressFile  = "/kind/old-ipv4"
	kubeadmConfig   = "/kind/kubeadm.conf"
	apiServerCert   = "/etc/kubernetes/pki/apiserver.crt"
	apiServerKey    = "/etc/kubernetes/pki/apiserver.key"
	resolvConf      = "/etc/resolv.conf"
	resolvConfSaved = "/etc/resolv.conf.original"
)

// addressFiles are the files in which kubeadm wrote the node's address.
var addressFiles = []string{
	"/etc/kubernetes/manifests/etcd.yaml",
	"/etc/kubernetes/manifests/kube-apiserver.yaml",
	"/etc/kubernetes/manifests/kube-controller-manager.yaml",
	"/etc/kubernetes/manifests/kube-scheduler.yaml",
	"/etc/kubernetes/controller-manager.conf",
	"/etc/kubernetes/scheduler.conf",
	"/etc/kubernetes/kubelet.conf",
	"/var/lib/kubelet/kubeadm-flags.env",
	kubeadmConfig,
}

// followAddress makes a node that was restarted live with the address that the engine gave it this time: another
// container may have taken the old one. The API server's certificate names the address, so it is made anew.
func followAddress(ctx context.Context) error {
	now, err := nodeAddress()
	if err != nil {
		return err
	}
	before, err := os.ReadFile(oldAddressFile)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("reading the last address: %w", err)
	}
	if old := strings.TrimSpace(string(before)); old != "" && old != now {
		logf("address changed from %s to %s", old, now)
		if err := replaceAddress(old, now); err != nil {
			return err
		}
		if err := renewCertificate(ctx); err != nil {
			return err
		}
	}
	return os.WriteFile(oldAddressFile, []byte(now), 0o644)
}

func replaceAddress(old, now string) error {
	whole := regexp.MustCompile(`\b` + regexp.QuoteMeta(old) + `\b`)
	for _, file := range addressFiles {
		data, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		if err := os.WriteFile(file, whole.ReplaceAllLiteral(data, []byte(now)), 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", file, err)
		}
	}
	return nil
}

func renewCertificate(ctx context.Context) error {
	if !exists(apiServerCert) {
		return nil // The node stopped before kubeadm came this far.
	}
	for _, file := range []string{apiServerCert, apiServerKey} {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	out, err := exec.CommandContext(ctx, "kubeadm", "init", "phase", "certs", "apiserver", "--config="+kubeadmConfig).CombinedOutput()
	if err != nil {
		return fmt.Errorf("renewing the API server's certificate: %w: %s", err, out)
	}
	return nil
}

// nodeAddress is the first global IPv4 address of an interface that is up and no bridge of the CNI's.
func nodeAddress() (string, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", fmt.Errorf("listing network interfaces: %w", err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || i.Name == cniBridge {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			return "", fmt.Errorf("listing addresses of %s: %w", i.Name, err)
		}
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
				return n.IP.String(), nil
			}
		}
	}
	return "", errors.New("finding the node's address: no interface with an IPv4 address")
}

// cniBridge is the bridge that the node image's CNI configuration names.
const cniBridge = "cni0"

// prepareDNS makes the node's resolver usable from pods. Docker's embedded one answers on 127.0.0.11, which inside
// a pod is the pod itself: the node then relays DNS from its own address to it, and names that address instead.
func prepareDNS(ctx context.Context) func() error {
	return func() error {
		if !exists(resolvConfSaved) {
			original, err := os.ReadFile(resolvConf)
			if err != nil {
				return fmt.Errorf("reading the resolver's configuration: %w", err)
			}
			if err := os.WriteFile(resolvConfSaved, original, 0o644); err != nil {
				return err
			}
		}
		original, err := os.ReadFile(resolvConfSaved)
		if err != nil {
			return err
		}
		upstream := loopbackNameserver(string(original))
		if upstream == "" {
			return nil
		}
		address, err := nodeAddress()
		if err != nil {
			return err
		}
		if err := relayDNS(ctx, net.JoinHostPort(address, "53"), net.JoinHostPort(upstream, "53")); err != nil {
			return err
		}
		// Written in place: the engine mounts the file, so it can't be replaced by renaming another.
		return os.WriteFile(resolvConf, []byte(strings.ReplaceAll(string(original), upstream, address)), 0o644)
	}
}

// loopbackNameserver returns the first nameserver of a resolv.conf(5) that only the node itself can reach, or "".
func loopbackNameserver(config string) string {
	for line := range strings.Lines(config) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if ip := net.ParseIP(fields[1]); ip != nil && ip.IsLoopback() {
			return fields[1]
		}
	}
	return ""
}
