package port

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/state"
)

// usual are Jaeger's own numbers.
var usual = state.Ports{UI: 16686, Query: 16685, OTLPGRPC: 4317, OTLPHTTP: 4318, Thrift: 14268}

// Usual are the ports that Jaeger gets where the user asks for none and nothing else has them.
func Usual() state.Ports { return usual }

// TakenError says that a port which the user asked for is in use.
type TakenError struct {
	Port   int
	Holder string // the program that listens on it, or "" where the system does not tell
}

// Error names the port, its holder and what to do.
func (e *TakenError) Error() string {
	holder := "another program"
	if e.Holder != "" {
		holder = e.Holder
	}
	return fmt.Sprintf("port %d on 127.0.0.1 is taken by %s: end it, or choose another port", e.Port, holder)
}

// Choose decides on Jaeger's ports on 127.0.0.1: those that were asked for, which must be free; for the others the
// usual one, or any free one if that is taken. A port is free when it can be listened on now and connections to it arrive.
func Choose(ctx context.Context, wanted state.Ports) (state.Ports, error) {
	chosen := wanted
	for _, p := range []struct{ chosen, usual *int }{
		{&chosen.UI, &usual.UI}, {&chosen.Query, &usual.Query}, {&chosen.OTLPGRPC, &usual.OTLPGRPC},
		{&chosen.OTLPHTTP, &usual.OTLPHTTP}, {&chosen.Thrift, &usual.Thrift},
	} {
		if *p.chosen != 0 {
			if _, err := Free(ctx, *p.chosen); err != nil {
				return chosen, err
			}
			continue
		}
		port, err := listen(ctx, *p.usual)
		if err != nil {
			port, err = Free(ctx, 0)
		}
		if err != nil {
			return chosen, err
		}
		*p.chosen = port
	}
	return chosen, nil
}

// Free listens on a port of 127.0.0.1 for a moment and returns its number; port 0 is any free one. The error is a *TakenError
// where another program listens there, or gets the connections all the same.
func Free(ctx context.Context, port int) (int, error) {
	number, err := listen(ctx, port)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return 0, &TakenError{Port: port, Holder: holderOf(port)}
	case errors.Is(err, errDiverted):
		return 0, &TakenError{Port: port, Holder: "a rule of the packet filter, as of a container that publishes it or did until it was killed"}
	}
	if err != nil {
		return 0, fmt.Errorf("trying port %d on 127.0.0.1: %w", port, err)
	}
	return number, nil
}

// Available is nil if a port is free as [Free] says. It does not look for who has it, which may take a tenth of a second.
func Available(ctx context.Context, port int) error {
	_, err := listen(ctx, port)
	return err
}

// errDiverted says that connections to a port don't arrive where it is listened on.
var errDiverted = errors.New("connections to the port are diverted")

// arrival limits how long a connection within this machine may take.
const arrival = time.Second

func listen(ctx context.Context, port int) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	if err := arrives(ctx, listener.(*net.TCPListener)); err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// arrives connects to a listener. Container engines publish ports by rules that rewrite the destination before any program
// sees the connection; those of a container that was killed with its monitor stay, though nothing listens any more.
func arrives(ctx context.Context, listener *net.TCPListener) error {
	ctx, cancel := context.WithTimeout(ctx, arrival)
	defer cancel()
	var dialer net.Dialer
	sent, err := dialer.DialContext(ctx, "tcp4", listener.Addr().String())
	if err != nil {
		return fmt.Errorf("%w: %w", errDiverted, err)
	}
	defer sent.Close()
	deadline, _ := ctx.Deadline()
	if err := listener.SetDeadline(deadline); err != nil {
		return err
	}
	for {
		came, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("%w: %w", errDiverted, err)
		}
		_ = came.Close()
		if came.RemoteAddr().String() == sent.LocalAddr().String() {
			return nil // Others may have connected before.
		}
	}
}
