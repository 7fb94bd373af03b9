package companion

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// gate runs the gate of the sandbox in a folder.
func gate(folder string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	dir := state.Dir{Path: folder}
	record, err := dir.Load()
	if err == nil {
		err = GateOf(&session.Session{Dir: dir, Record: record}).Serve(ctx, noTrace)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// noTrace is a ReadTrace of a Jaeger without traces.
func noTrace(context.Context, string) (tracetree.Trace, error) {
	return tracetree.Trace{}, tracetree.ErrNotFound
}

// gated returns a sandbox with a Jaeger that has no services and requires the password.
func gated(t *testing.T, password *atomic.Value) *session.Session {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, given, _ := r.BasicAuth(); user != component.JaegerUser || given != password.Load() {
			http.Error(w, "invalid credentials", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"services":[]}`)
	}))
	t.Cleanup(server.Close)
	s := newSession(t, "")
	users, err := port.Free(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Record.JaegerPassword = password.Load().(string)
	s.Record.Ports = component.Ports{component.UI: users}
	s.Record.ComponentPorts = component.Ports{component.JaegerPage: server.Listener.Addr().(*net.TCPAddr).Port}
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	return s
}

func newPassword() *atomic.Value {
	password := &atomic.Value{}
	password.Store("a")
	return password
}

// ask sends a request to a port with a Host header.
func ask(t *testing.T, number int, host string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address(number)+"/api/v3/services", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func gateProcess(t *testing.T, g Gate) provider.Process {
	t.Helper()
	shown := provider.Component{Ready: true}
	if err := g.Describe(&shown); err != nil || len(shown.Processes) != 1 || shown.Ready != (shown.Processes[0].PID != 0) {
		t.Fatalf("Describe: %+v, %v", shown, err)
	}
	return shown.Processes[0]
}

func TestGateChecksTheHost(t *testing.T) {
	t.Parallel()
	s := gated(t, newPassword())
	g := GateOf(s)
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	users, jaegers := g.ports()
	for _, test := range []struct {
		port int
		host string
		want int
	}{
		{users, "localhost", 200}, {users, "127.0.0.1:16686", 200}, {users, "evil.example", 421},
		{jaegers, "localhost", 401}, {jaegers, "evil.example", 401}, // Only the gate has the password.
	} {
		if got, body := ask(t, test.port, test.host); got != test.want {
			t.Errorf("host %s: %d %q, want %d", test.host, got, body, test.want)
		}
	}
	first := gateProcess(t, g)
	if err := g.Start(t.Context()); err != nil || gateProcess(t, g).PID != first.PID {
		t.Errorf("a second start replaced the gate: %v", err)
	}
}

func TestGateIsReplaced(t *testing.T) {
	t.Parallel()
	password := newPassword()
	s := gated(t, password)
	g := GateOf(s)
	for _, change := range []struct {
		name   string
		change func(pid int) error
	}{
		{"nothing ran", func(int) error { return nil }},
		{"a new password", func(int) error {
			password.Store("b")
			s.Record.JaegerPassword = "b"
			return s.Save()
		}},
		{"a suspended process", func(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) }},
		{"a killed process", func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }},
	} {
		before := gateProcess(t, g).PID
		if err := change.change(before); err != nil {
			t.Fatal(err)
		}
		// The process reacts to a signal after the call.
		if strings.Contains(change.name, "process") {
			eventually(t, func() bool { p, err := g.table().Find(GateName); return err != nil || p == nil || p.Stopped })
		}
		if err := g.Start(t.Context()); err != nil {
			t.Fatalf("%s: %v", change.name, err)
		}
		if after := gateProcess(t, g).PID; after == before {
			t.Errorf("%s: process %d still runs", change.name, before)
		}
		users, _ := g.ports()
		if got, body := ask(t, users, "localhost"); got != http.StatusOK {
			t.Errorf("%s: %d %q", change.name, got, body)
		}
	}
}

func TestGateThatCannotListen(t *testing.T) {
	t.Parallel()
	g := GateOf(gated(t, newPassword()))
	users, _ := g.ports()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp4", address(users))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := g.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Start = %v", err)
	}
	var log strings.Builder
	if err := g.Logs(t.Context(), &log, provider.LogOptions{Lines: 1}); err != nil || !strings.Contains(log.String(), "address already in use") {
		t.Errorf("log %q, %v", log.String(), err)
	}
	shown := provider.Component{Ready: true, Message: "checking Jaeger's port ui"}
	if err := g.Describe(&shown); err != nil || shown.Ready || !strings.HasPrefix(shown.Message, "jaeger-gate is not running") || !strings.HasSuffix(shown.Message, "\nchecking Jaeger's port ui") {
		t.Errorf("%+v, %v", shown, err)
	}
}

func TestReserve(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name             string
		taken, requested bool
		moves, fails     bool
	}{
		{name: "free"},
		{name: "taken", taken: true, moves: true},
		{name: "requested", requested: true},
		{name: "requested and taken", taken: true, requested: true, fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := gated(t, newPassword())
			users, _ := GateOf(s).ports()
			if test.requested {
				s.Ports = component.Ports{component.UI: users}
			}
			if test.taken {
				var config net.ListenConfig
				listener, err := config.Listen(t.Context(), "tcp4", address(users))
				if err != nil {
					t.Fatal(err)
				}
				defer listener.Close()
			}
			err := GateOf(s).Reserve(t.Context())
			var busy *port.TakenError
			if errors.As(err, &busy) != test.fails || err != nil && busy == nil {
				t.Errorf("Reserve = %v", err)
			}
			saved, err := s.Dir.Load()
			if err != nil {
				t.Fatal(err)
			}
			if got := saved.Ports[component.UI]; (got != users) != test.moves || got != s.Record.Ports[component.UI] {
				t.Errorf("port %d before, %d now, %d in the session", users, got, s.Record.Ports[component.UI])
			}
		})
	}
}

// Another sandbox cannot choose the port between Reserve and Start.
func TestReserveHoldsThePort(t *testing.T) {
	t.Parallel()
	g := GateOf(gated(t, newPassword()))
	if err := g.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	users, _ := g.ports()
	var taken *port.TakenError
	if _, err := port.Free(t.Context(), users); !errors.As(err, &taken) {
		t.Errorf("Free after Reserve = %v, want that the port is taken", err)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Error(err)
	}
}

// A running gate keeps its port.
func TestReserveWhileTheGateRuns(t *testing.T) {
	t.Parallel()
	g := GateOf(gated(t, newPassword()))
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, _ := g.ports()
	if err := g.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, _ := g.ports(); after != before {
		t.Errorf("port %d before, %d now", before, after)
	}
}

// Existing clusters have no gate, and neither do kind nodes of old versions.
func TestSandboxWithoutAGate(t *testing.T) {
	t.Parallel()
	s := newSession(t, "")
	s.Record.Ports = component.Ports{component.UI: 16686}
	g := GateOf(s)
	var shown provider.Component
	if err := errors.Join(g.Reserve(t.Context()), g.Start(t.Context()), g.Describe(&shown), g.Stop(t.Context())); err != nil || len(shown.Processes) > 0 {
		t.Errorf("%+v, %v", shown, err)
	}
	if err := g.Serve(t.Context(), noTrace); err == nil {
		t.Error("Serve returned no error")
	}
	if _, err := os.Stat(filepath.Join(s.Dir.Path, "run")); !os.IsNotExist(err) {
		t.Errorf("a process has a record: %v", err)
	}
}
