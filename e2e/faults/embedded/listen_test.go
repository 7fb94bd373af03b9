package embedded

import (
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	gopsutilnet "github.com/shirou/gopsutil/v4/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// TestListensOnLoopback reads the sockets of all processes. Only cert-manager's webhook listens on
// other addresses than loopback. It, the API server and etcd refuse clients without a certificate.
func TestListensOnLoopback(t *testing.T) {
	s := newSandbox(t)
	s.up()
	own, jaeger := s.Record().ComponentPorts, s.Record().Ports
	owners := map[int]string{
		own[component.EtcdPort]: component.Etcd, own[component.EtcdPeerPort]: component.Etcd, own[component.APIServerPort]: component.APIServer,
		own[component.CertManagerHealth]: component.CertManagerController, own[component.CertManagerHook]: component.CertManagerWebhook,
		own[component.OperatorHook]: component.Operator, own[component.OperatorHealth]: component.Operator, own[component.JaegerHealth]: component.Jaeger,
		own[component.JaegerPage]: component.Jaeger, jaeger[component.UI]: companion.GateName, jaeger[component.Query]: component.Jaeger,
		jaeger[component.OTLPGRPC]: component.Jaeger, jaeger[component.OTLPHTTP]: component.Jaeger, jaeger[component.Thrift]: component.Jaeger,
	}
	open := 0
	for name, pid := range s.wantWhole() {
		for _, socket := range s.listening(pid) {
			if owners[socket.Port] == name {
				delete(owners, socket.Port)
			}
			switch {
			case socket.IP.Equal(net.IPv4(127, 0, 0, 1)):
			case name == component.CertManagerWebhook && socket.Port == own[component.CertManagerHook]:
				open++
			default:
				t.Errorf("%s, process %d, listens on %s, want only 127.0.0.1", name, pid, socket)
			}
		}
	}
	// The loop above misses ports of the record on which no process listens.
	for port, name := range owners {
		t.Errorf("%s does not listen on port %d, which the record says it has", name, port)
	}
	if open != 1 {
		t.Errorf("%s listens on %d sockets beyond loopback, want 1; check whether it can listen only on loopback now", component.CertManagerWebhook, open)
	}
	s.wantStrangerRefused()
	s.wantCertificateDemanded(component.Etcd, own[component.EtcdPort])
	s.wantCertificateDemanded(component.CertManagerWebhook, own[component.CertManagerHook])
}

// listening returns the addresses on which a process accepts TCP connections.
func (s *sandbox) listening(pid int) []*net.TCPAddr {
	s.T.Helper()
	sockets, err := gopsutilnet.ConnectionsPidWithContext(s.T.Context(), "tcp", int32(pid))
	if err != nil {
		s.T.Fatalf("reading the sockets of process %d: %v", pid, err)
	}
	var found []*net.TCPAddr
	for _, socket := range sockets {
		if socket.Status != "LISTEN" {
			continue
		}
		ip := net.ParseIP(socket.Laddr.IP)
		if ip == nil {
			s.T.Fatalf("process %d listens on the invalid address %q", pid, socket.Laddr.IP)
		}
		found = append(found, &net.TCPAddr{IP: ip, Port: int(socket.Laddr.Port)})
	}
	return found
}

// wantStrangerRefused fails the test unless the API server answers anonymous requests with 401.
func (s *sandbox) wantStrangerRefused() {
	s.T.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.Dir+"/kubeconfig")
	if err != nil {
		s.T.Fatalf("reading the kubeconfig: %v", err)
	}
	client, err := rest.HTTPClientFor(rest.AnonymousClientConfig(config))
	if err != nil {
		s.T.Fatalf("creating a client without a certificate: %v", err)
	}
	request, err := http.NewRequestWithContext(s.T.Context(), http.MethodGet, config.Host+"/api", nil)
	if err != nil {
		s.T.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		s.T.Fatalf("asking the API server: %v", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		s.T.Errorf("the API server answers %s to a client without a certificate, want 401", response.Status)
	}
}

// wantCertificateDemanded fails the test unless a port ends the TLS handshake because the client
// has no certificate.
func (s *sandbox) wantCertificateDemanded(name string, port int) {
	s.T.Helper()
	const limit = 10 * time.Second
	dialer := tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, // The client sends no data.
		MinVersion:         tls.VersionTLS13,
	}}
	connection, err := dialer.DialContext(s.T.Context(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err == nil {
		// The client's part of the handshake ends first (RFC 8446, section 4.4.2.4). The server's
		// alert arrives at the first read.
		defer connection.Close()
		if err = connection.SetReadDeadline(time.Now().Add(limit)); err != nil {
			s.T.Fatal(err)
		}
		_, err = connection.Read(make([]byte, 1))
	}
	if err == nil || !strings.Contains(err.Error(), "remote error: tls: certificate required") {
		s.T.Errorf("%s on port %d does not demand a certificate of its clients: %v", name, port, err)
	}
}
