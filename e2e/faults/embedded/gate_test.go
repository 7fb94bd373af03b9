package embedded

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// TestJaegerChecksTheHost sends requests like a web page whose name resolves to 127.0.0.1, to the
// user's port and to Jaeger's own port behind it. Then the test kills the gate, and up restarts it.
func TestJaegerChecksTheHost(t *testing.T) {
	s := newSandbox(t)
	s.up()
	before := s.wantWhole()
	s.wantHostChecked()
	s.kill(before[companion.GateName])
	s.wantNamed(companion.GateName)
	s.up()
	s.wantAnew(before, companion.GateName)
	s.wantHostChecked()
}

func (s *sandbox) wantHostChecked() {
	s.T.Helper()
	users := component.PortNamed(component.UI).Address(s.Record().Ports[component.UI])
	behind := component.PortNamed(component.UI).Address(s.Record().ComponentPorts[component.JaegerPage])
	for _, path := range []string{"/", "/search", "/trace/1", "/api/services", "/api/v3/services"} {
		for host, want := range map[string]int{
			"": http.StatusOK, "localhost": http.StatusOK, "evil.example": http.StatusMisdirectedRequest, "127.0.0.1.evil.example:16686": http.StatusMisdirectedRequest,
		} {
			if got, body := s.ask(users+path, host); got != want || want != http.StatusOK && !strings.Contains(body, "DNS rebinding") {
				s.T.Errorf("%s with host %q: %d %q, want %d", path, host, got, body, want)
			}
			if got, body := s.ask(behind+path, host); got != http.StatusUnauthorized {
				s.T.Errorf("behind the gate, %s with host %q: %d %q, want 401", path, host, got, body)
			}
		}
	}
}

// ask sends a request with a Host header. An empty host means the host of the address.
func (s *sandbox) ask(address, host string) (int, string) {
	s.T.Helper()
	request, err := http.NewRequestWithContext(s.T.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		s.T.Fatal(err)
	}
	request.Host = host
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.T.Fatalf("asking %s: %v", address, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	return response.StatusCode, string(body)
}
