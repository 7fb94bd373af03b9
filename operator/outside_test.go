package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// writeKubeconfig writes the kubeconfig of an operator outside a cluster: it contains the path of a file with a
// token of the service account. It returns the kubeconfig's path.
func writeKubeconfig(ctx context.Context, admin client.Client, cluster *rest.Config, dir string) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorAccount}}
	request := &authenticationv1.TokenRequest{}
	if err := admin.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("requesting a token of service account %s/%s: %w", account.Namespace, account.Name, err)
	}
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(request.Status.Token), 0o600); err != nil {
		return "", err
	}
	kubeconfig := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: cluster.Host, CertificateAuthorityData: cluster.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"operator": {TokenFile: token}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "operator"}},
		CurrentContext: "test",
	}
	path := filepath.Join(dir, "kubeconfig")
	return path, clientcmd.WriteToFile(kubeconfig, path)
}

// TestListenAddresses checks that the operator listens only on the addresses of --webhook-host and
// --health-probe-bind-address. A listener on all addresses would accept any address of 127.0.0.0/8.
func TestListenAddresses(t *testing.T) {
	c := cluster(t)
	for name, port := range map[string]int{"webhook": c.hookPort, "probes": c.probePort} {
		for host, want := range map[string]bool{"127.0.0.1": true, "127.0.0.2": false} {
			conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
			if err == nil {
				_ = conn.Close()
			}
			if got := err == nil; got != want {
				t.Errorf("%s: %s:%d accepts a connection = %t, want %t (%v)", name, host, port, got, want, err)
			}
		}
	}
}

// TestLeaseIsInTheGivenNamespace checks that leader election finds its namespace outside a pod.
func TestLeaseIsInTheGivenNamespace(t *testing.T) {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: leaseName}}
	cluster(t).get(t, lease)
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		t.Errorf("lease %s/%s has no holder", lease.Namespace, lease.Name)
	}
}
