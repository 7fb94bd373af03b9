package port

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/state"
)

// taken listens on a free port until the test ends.
func taken(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

// free returns a port on which no program listens.
func free(t *testing.T) int {
	t.Helper()
	port, err := Free(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func setUsual(t *testing.T, ports state.Ports) {
	t.Helper()
	before := usual
	usual = ports
	t.Cleanup(func() { usual = before })
}

func TestChooseReplacesUsualPortsInUse(t *testing.T) {
	busy := taken(t)
	setUsual(t, state.Ports{UI: free(t), Query: busy, OTLPGRPC: free(t), OTLPHTTP: free(t), Thrift: free(t)})
	requested := free(t)
	got, err := Choose(t.Context(), state.Ports{Thrift: requested})
	if err != nil {
		t.Fatal(err)
	}
	if got.UI != usual.UI || got.OTLPGRPC != usual.OTLPGRPC || got.OTLPHTTP != usual.OTLPHTTP {
		t.Errorf("Choose = %+v, want the usual %+v except Query and Thrift", got, usual)
	}
	if got.Thrift != requested {
		t.Errorf("Thrift = %d, want the requested %d", got.Thrift, requested)
	}
	if got.Query == busy || got.Query == 0 {
		t.Errorf("Query = %d, want a free port", got.Query)
	}
}

func TestChooseNamesTheHolderOfARequestedPort(t *testing.T) {
	port := taken(t)
	_, err := Choose(t.Context(), state.Ports{UI: port})
	var busy *TakenError
	if !errors.As(err, &busy) || busy.Port != port {
		t.Fatalf("Choose = %v, want a *TakenError of port %d", err, port)
	}
	holder := "another program" // Without /proc, the holder is unknown.
	if comm, err := os.ReadFile("/proc/self/comm"); err == nil {
		holder = fmt.Sprintf("%s (process %d)", strings.TrimSpace(string(comm)), os.Getpid())
	}
	want := fmt.Sprintf("port %d on 127.0.0.1 is in use by %s; stop it, or choose another port", port, holder)
	if busy.Error() != want {
		t.Errorf("error = %q, want %q", busy, want)
	}
}

func TestTakenErrorWithoutHolder(t *testing.T) {
	const want = "port 4317 on 127.0.0.1 is in use by another program; stop it, or choose another port"
	if got := (&TakenError{Port: 4317}).Error(); got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
}

func TestFreeOfAnInvalidPort(t *testing.T) {
	_, err := Free(t.Context(), 70000)
	if err == nil || !strings.Contains(err.Error(), "listening on port 70000 of 127.0.0.1") {
		t.Errorf("Free(70000) = %v, want an error that names the port", err)
	}
}

func TestHolderOfAFreePort(t *testing.T) {
	if holder := holderOf(free(t)); holder != "" {
		t.Errorf("holderOf(free port) = %q, want none", holder)
	}
}
