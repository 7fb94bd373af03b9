package port

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// TakenError is returned if a requested port is in use.
type TakenError struct {
	Port   int
	Holder string // the program that listens on the port; "" if unknown
}

// Error returns a message with the port, its holder and a remedy.
func (e *TakenError) Error() string {
	holder := "another program"
	if e.Holder != "" {
		holder = e.Holder
	}
	return fmt.Sprintf("port %d on 127.0.0.1 is in use by %s; stop it, or choose another port", e.Port, holder)
}

// Choose chooses numbers on 127.0.0.1 for ports of the table. Numbers in wanted must be free. For
// the others, Choose takes the usual number, or any free number if the usual one is in use, or was
// chosen by another command of this user that still runs. A port is free if the program can listen
// on it and connections to it arrive.
func Choose(ctx context.Context, ports []component.Port, wanted component.Ports) (component.Ports, error) {
	chosen := component.Ports{}
	for _, p := range ports {
		if number := wanted[p.Name]; number != 0 {
			if _, err := Free(ctx, number); err != nil {
				return chosen, err
			}
			chosen[p.Name] = number
			continue
		}
		number, err := listen(ctx, p.Number)
		if err != nil || !claim(number) {
			number, err = Free(ctx, 0)
		}
		if err != nil {
			return chosen, err
		}
		chosen[p.Name] = number
	}
	return chosen, nil
}

// Free listens briefly on a port of 127.0.0.1 and returns its number. Port 0 means any free port.
// Free returns a *TakenError if another program listens on the port, or if its connections are
// diverted.
func Free(ctx context.Context, port int) (int, error) {
	number, err := listen(ctx, port)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return 0, &TakenError{Port: port, Holder: holderOf(ctx, port)}
	case errors.Is(err, errDiverted):
		return 0, &TakenError{Port: port, Holder: "a packet filter rule, for example of a container that publishes the port or was killed while it did"}
	}
	if err != nil {
		return 0, fmt.Errorf("listening on port %d of 127.0.0.1: %w", port, err)
	}
	return number, nil
}

// Unused returns a free port that none of the sandbox's ports has.
func Unused(ctx context.Context, ports ...component.Ports) (int, error) {
	chosen := map[int]bool{}
	for _, named := range ports {
		for _, number := range named {
			chosen[number] = true
		}
	}
	const tries = 100 // The system chooses at random: two attempts should suffice.
	for range tries {
		free, err := Free(ctx, 0)
		if err != nil || !chosen[free] {
			return free, err
		}
	}
	return 0, errors.New("choosing a port on 127.0.0.1: the system repeats ports that are already chosen")
}

// Available returns nil if a port is free. Unlike [Free], it does not search for the holder of the
// port, which can take 0.1 seconds.
func Available(ctx context.Context, port int) error {
	_, err := listen(ctx, port)
	return err
}

// errDiverted is returned if connections to a port do not arrive at its listener.
var errDiverted = errors.New("connections to the port are diverted")

// arrival is the timeout of a connection within this machine.
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

// arrives checks that a connection to the listener arrives there. Container engines publish ports
// with packet filter rules that rewrite the destination of a connection. If a container is killed
// together with its monitor, its rules remain, although no program listens.
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
		accepted, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("%w: %w", errDiverted, err)
		}
		_ = accepted.Close()
		if accepted.RemoteAddr().String() == sent.LocalAddr().String() {
			return nil // Earlier connections can be from other programs.
		}
	}
}
