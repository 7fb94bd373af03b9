package companion

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hostcheck"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/port"
	"github.com/operator-tracing/sandbox/sandbox/process"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

const (
	// GateName is the name of the gate in logs, and of its command.
	GateName = "jaeger-gate"
	// patience is the time limit for an answer of a gate that is already running.
	patience = 10 * time.Second
)

// Gate is the process between users and the web page and HTTP query API of a sandbox's Jaeger. It
// listens on the user's port and checks the Host header; see package hostcheck. Behind it, Jaeger
// requires a password, so that its own port cannot be used instead. The gate also explains traces to
// the page, see [view.Waterfall.WriteJSON].
type Gate struct{ session *session.Session }

// GateOf returns the gate of a sandbox.
func GateOf(s *session.Session) Gate { return Gate{s} }

func (g Gate) table() process.Table { return Observer(g).table() }

// ports returns the user's port, and Jaeger's. Both are 0 if the sandbox has no gate: on an existing
// cluster, and on a kind node of an old version, whose own port is the user's.
func (g Gate) ports() (users, jaegers int) {
	record := &g.session.Record
	if jaegers = record.ComponentPorts[component.JaegerPage]; jaegers == 0 {
		return 0, 0
	}
	return record.Ports[component.UI], jaegers
}

// Reserve listens on the user's port until Start, so that no other sandbox chooses it meanwhile. It
// replaces the port if another program took it while the gate did not run. It returns an error if the
// user requested that port.
func (g Gate) Reserve(ctx context.Context) error {
	users, _ := g.ports()
	if users == 0 {
		return nil
	}
	if p, err := g.table().Find(GateName); p != nil || err != nil {
		return err
	}
	_, err := port.Free(ctx, users)
	if err == nil {
		return g.session.HoldPort(ctx, address(users))
	}
	if g.session.Ports[component.UI] != 0 {
		return err
	}
	record := &g.session.Record
	free, err := port.Unused(ctx, record.Ports, record.ComponentPorts)
	if err != nil {
		return err
	}
	record.Ports = record.Ports.With(component.UI, free)
	return errors.Join(g.session.Save(), g.session.HoldPort(ctx, address(free)))
}

// Start starts the gate, or lets it run if it is up to date and answers, and waits until Jaeger
// answers through it. It does nothing if the sandbox has no gate.
func (g Gate) Start(ctx context.Context) error {
	users, jaegers := g.ports()
	if users == 0 {
		return nil
	}
	program, err := Observer(g).program()
	if err != nil {
		return fmt.Errorf("copying the program of the gate: %w", err)
	}
	spec := process.Spec{
		Name: GateName, Path: program, Args: []string{GateName, "--name=" + g.session.Name, "--state-dir=" + g.session.Dir.Path},
		Env: environment(), Revision: cache.Key(fmt.Appendf(nil, "%d %d %s", users, jaegers, g.session.Record.JaegerPassword)),
	}
	g.session.ReleasePort()
	_, err = g.table().Run(ctx, spec, patience, g.answers)
	return err
}

func (g Gate) answers(ctx context.Context) error {
	users, _ := g.ports()
	return component.Named(component.Jaeger).Check(ctx, map[string]string{component.UI: component.PortNamed(component.UI).Address(users)})
}

// ReadTrace reads a trace by its ID, with the traces that continue it.
type ReadTrace func(ctx context.Context, id string) (tracetree.Trace, error)

// Serve runs the gate until ctx ends. It reads the traces that it explains with read.
func (g Gate) Serve(ctx context.Context, read ReadTrace) error {
	users, jaegers := g.ports()
	if users == 0 {
		return errors.New("the sandbox has no port for the page of Jaeger")
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", address(users))
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           explaining(hostcheck.Proxy(&url.URL{Scheme: "http", Host: address(jaegers)}, component.JaegerUser, g.session.Record.JaegerPassword), read),
		ReadHeaderTimeout: time.Minute,
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })() // Requests end with the process.
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Describe adds the gate to the status of Jaeger. It adds nothing if the sandbox has no gate.
func (g Gate) Describe(jaeger *provider.Component) error {
	if users, _ := g.ports(); users == 0 {
		return nil
	}
	p, err := g.table().Find(GateName)
	if err != nil {
		return err
	}
	shown := provider.Process{Name: GateName, Log: g.table().LogPath(GateName)}
	if p != nil {
		shown.PID, shown.Since = p.PID, &p.Started
	} else {
		jaeger.Ready = false
		jaeger.Message = strings.TrimSpace(notRunning(g.table(), GateName) + "\n" + jaeger.Message)
	}
	jaeger.Processes = append(jaeger.Processes, shown)
	return nil
}

// Logs copies the log of the gate.
func (g Gate) Logs(ctx context.Context, out io.Writer, options provider.LogOptions) error {
	return provider.CopyLog(ctx, g.table(), out, GateName, options)
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Stop ends the gate. It returns nil if it does not run.
func (g Gate) Stop(ctx context.Context) error { return g.table().Stop(ctx, GateName) }
