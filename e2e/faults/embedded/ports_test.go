package embedded

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// TestPortTaken kills a process and listens on its port. up chooses another port and updates all
// users of the port.
func TestPortTaken(t *testing.T) {
	s := newSandbox(t)
	s.up()
	for _, c := range []struct {
		process string
		what    string
		port    func(state.Record) int
	}{
		{component.Etcd, "clients", func(r state.Record) int { return r.ComponentPorts[component.EtcdPort] }},
		{component.Etcd, "peers", func(r state.Record) int { return r.ComponentPorts[component.EtcdPeerPort] }},
		{component.APIServer, "", func(r state.Record) int { return r.ComponentPorts[component.APIServerPort] }},
		{component.Jaeger, "health", func(r state.Record) int { return r.ComponentPorts[component.JaegerHealth] }},
		{component.Jaeger, "web interface", func(r state.Record) int { return r.ComponentPorts[component.JaegerPage] }},
		{companion.GateName, "", func(r state.Record) int { return r.Ports[component.UI] }},
		{component.Jaeger, "OTLP", func(r state.Record) int { return r.Ports[component.OTLPGRPC] }},
		{component.CertManagerController, "", func(r state.Record) int { return r.ComponentPorts[component.CertManagerHealth] }},
		{component.CertManagerWebhook, "", func(r state.Record) int { return r.ComponentPorts[component.CertManagerHook] }},
		{component.Operator, "webhook", func(r state.Record) int { return r.ComponentPorts[component.OperatorHook] }},
		{component.Operator, "health", func(r state.Record) int { return r.ComponentPorts[component.OperatorHealth] }},
	} {
		t.Run(strings.TrimSpace(c.process+" "+c.what), func(t *testing.T) {
			s := s.in(t)
			before := c.port(s.Record())
			s.kill(s.wantWhole()[c.process])
			s.listen(before)
			s.up()
			after := c.port(s.Record())
			if after == before || after == 0 {
				t.Fatalf("record = port %d, but this test uses port %d", after, before)
			}
			s.wantWebhooksFollow()
			s.wantTrace(fmt.Sprintf("port-%d", before))
		})
	}
}

// wantWebhooksFollow fails the test unless the API server calls webhooks at their current
// addresses.
func (s *sandbox) wantWebhooksFollow() {
	s.T.Helper()
	own := s.Record().ComponentPorts
	urls := s.webhookURLs()
	for _, port := range []int{own[component.CertManagerHook], own[component.OperatorHook]} {
		base := fmt.Sprintf("https://localhost:%d/", port)
		if !slices.ContainsFunc(urls, func(url string) bool { return strings.HasPrefix(url, base) }) {
			s.T.Errorf("no webhook is at %s: %v", base, urls)
		}
	}
}

// listen takes a port until the test ends. 0 means any port. The port of a killed process can stay
// in use for a moment.
func (s *sandbox) listen(port int) int {
	s.T.Helper()
	var config net.ListenConfig
	var listener net.Listener
	s.wait("port "+strconv.Itoa(port)+" to be free", func() (free bool) {
		var err error
		listener, err = config.Listen(s.T.Context(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		return err == nil
	})
	s.T.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

// TestPortAskedForIsTaken requests a port that this test uses: before the sandbox exists, and after
// its Jaeger, which had the port, is killed.
func TestPortAskedForIsTaken(t *testing.T) {
	s := newSandbox(t)
	holder := []string{"in use by", strconv.Itoa(os.Getpid()), "choose another port"}
	taken := strconv.Itoa(s.listen(0))
	s.WantRefusal(nil, []string{"up", "--jaeger-ui-port=" + taken}, append(holder, "port "+taken)...)
	s.wantNoProcess()

	s.up()
	asked := strconv.Itoa(s.Record().Ports[component.UI])
	s.kill(s.wantWhole()[companion.GateName])
	s.listen(s.Record().Ports[component.UI])
	s.WantRefusal(nil, []string{"up", "--jaeger-ui-port=" + asked}, append(holder, "port "+asked)...)
	s.up()
}
