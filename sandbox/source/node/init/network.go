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

// errNotYet is returned if kubeadm has not written the kubelet's configuration yet.
var errNotYet = errors.New("kubeadm has not configured the node yet")

const (
	oldAddressFile  = "/kind/old-ipv4"
	kubeadmConfig   = "/kind/kubeadm.conf"
	apiServerCert   = "/etc/kubernetes/pki/apiserver.crt"
	apiServerKey    = "/etc/kubernetes/pki/apiserver.key"
	resolvConf      = "/etc/resolv.conf"
	resolvConfSaved = "/etc/resolv.conf.original"
)

// addressFiles are the files that contain the node's address: kubeadm's configuration and its
// output.
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

// followAddress updates the configuration if the node's address has changed. When a node restarts,
// the engine assigns an address again, and another container may have the old one. The API server's
// certificate contains the address, so followAddress also renews the certificate.
func followAddress(ctx context.Context) error {
	now, err := nodeAddress()
	if err != nil {
		return err
	}
	before, err := os.ReadFile(oldAddressFile)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("reading the previous address: %w", err)
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

// replaceAddress replaces the address in all addressFiles that exist.
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

// renewCertificate replaces the API server's certificate and key, if the certificate exists.
func renewCertificate(ctx context.Context) error {
	if !exists(apiServerCert) {
		return nil // The node stopped before kubeadm created the certificate.
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

// nodeAddress returns the first global IPv4 address of a network interface that is up. It ignores
// the loopback interface and the bridge of the CNI.
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

// cniBridge is the name of the bridge in the node image's CNI configuration.
const cniBridge = "cni0"

// prepareDNS returns a function that makes the node's resolver reachable from pods. Docker's
// embedded resolver listens on 127.0.0.11, which in a pod is the pod itself. In this case the node
// relays DNS from its own address until ctx is cancelled, and writes that address to resolv.conf.
func prepareDNS(ctx context.Context) func() error {
	return func() error {
		if !exists(resolvConfSaved) {
			original, err := os.ReadFile(resolvConf)
			if err != nil {
				return fmt.Errorf("reading the resolver configuration: %w", err)
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
		// The engine mounts the file, so a rename cannot replace it.
		return os.WriteFile(resolvConf, []byte(strings.ReplaceAll(string(original), upstream, address)), 0o644)
	}
}

// loopbackNameserver returns the first nameserver with a loopback address in a resolv.conf(5), or
// "" if it contains none. Only the node itself can reach such a nameserver.
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
