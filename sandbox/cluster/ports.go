package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"syscall"

	"github.com/operator-tracing/sandbox/sandbox/state"
)

// usualPorts are Jaeger's own numbers.
var usualPorts = state.Ports{UI: 16686, Query: 16685, OTLPGRPC: 4317, OTLPHTTP: 4318, Thrift: 14268}

// PortTakenError says that a port which the user asked for is in use.
type PortTakenError struct {
	Port   int
	Holder string // the program that listens on it, or "" where the system does not tell
}

// Error names the port, its holder and what to do.
func (e *PortTakenError) Error() string {
	holder := "another program"
	if e.Holder != "" {
		holder = e.Holder
	}
	return fmt.Sprintf("port %d on 127.0.0.1 is taken by %s: end it, or choose another port", e.Port, holder)
}

// ChoosePorts decides on Jaeger's ports on 127.0.0.1: those that were asked for, which must be free; for the others the
// usual one, or any free one if that is taken. A port is free when it can be listened on now.
func ChoosePorts(ctx context.Context, wanted state.Ports) (state.Ports, error) {
	chosen := wanted
	for _, p := range []struct{ chosen, usual *int }{
		{&chosen.UI, &usualPorts.UI}, {&chosen.Query, &usualPorts.Query}, {&chosen.OTLPGRPC, &usualPorts.OTLPGRPC},
		{&chosen.OTLPHTTP, &usualPorts.OTLPHTTP}, {&chosen.Thrift, &usualPorts.Thrift},
	} {
		if *p.chosen != 0 {
			if _, err := listenable(ctx, *p.chosen); err != nil {
				return chosen, err
			}
			continue
		}
		port, err := listenable(ctx, *p.usual)
		if err != nil {
			port, err = listenable(ctx, 0)
		}
		if err != nil {
			return chosen, err
		}
		*p.chosen = port
	}
	return chosen, nil
}

// listenable listens on a port of 127.0.0.1 for a moment and returns its number; port 0 is any free one.
func listenable(ctx context.Context, port int) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return 0, &PortTakenError{Port: port, Holder: holderOf(port)}
	}
	if err != nil {
		return 0, fmt.Errorf("trying port %d on 127.0.0.1: %w", port, err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// validName is what kind takes for a cluster's name, and short enough for the node's host name.
var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,44}[a-z0-9])?$`)

// ValidName tells whether kind would take name for a cluster.
func ValidName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("--name=%q: use at most 46 lower-case letters, digits, dots and dashes", name)
	}
	return nil
}
