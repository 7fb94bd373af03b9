package component

import (
	"maps"
	"net"
	"strconv"
)

// Port is a TCP port of a component that the user reaches on 127.0.0.1.
type Port struct {
	// Name is the key in records and in `sandbox status -o json`.
	Name string
	// Number is the port in the Pod, and the default on 127.0.0.1.
	Number int
	// Flag is the flag that chooses another port, without dashes.
	Flag string
	// Use says what the port is for, in the help of the flag.
	Use string
	// Label is its name in `sandbox forward`, followed by Protocol if that is not empty. Successive
	// ports with the same label share a line.
	Label, Protocol string
	// Variable is the standard variable that makes programs send their spans to the port; empty for
	// other ports.
	Variable string
	// Env is the variable by which an embedded cluster tells the program its port.
	Env string
	// Scheme and Path make a URL of the address; both are empty for gRPC.
	Scheme, Path string
}

// Listener is a port on which a program of an embedded cluster listens, but not for the user.
type Listener struct {
	// Name is the key in records.
	Name string
	// Webhook is true if the API server calls the component's webhooks there.
	Webhook bool
	// Everywhere is true if the program listens on every address, not only on 127.0.0.1.
	Everywhere bool
}

// WebhookClientCA is the name, in the arguments of a program, of the file with the authority of the
// API server as a client of webhooks.
const WebhookClientCA = "webhookClientCA"

// Webhook returns the name of the port on which the component serves webhooks on an embedded
// cluster; empty if it has none.
func (c Component) Webhook() string {
	for _, p := range c.Programs {
		for _, l := range p.Listens {
			if l.Webhook {
				return l.Name
			}
		}
	}
	return ""
}

// AllPorts returns the ports of all components, in the order of the table.
func AllPorts() []Port {
	var ports []Port
	for _, c := range All() {
		ports = append(ports, c.Ports...)
	}
	return ports
}

// PortNamed returns the port with a name of the table; the zero Port if there is none.
func PortNamed(name string) Port {
	return find(AllPorts(), func(p Port) bool { return p.Name == name })
}

// Address is how the user reaches the port: a URL, or host:port. It is empty if number is 0.
func (p Port) Address(number int) string {
	if number == 0 {
		return ""
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(number))
	if p.Scheme != "" {
		return p.Scheme + "://" + address + p.Path
	}
	return address
}

// Ports are TCP ports on 127.0.0.1 by the names in the table. A missing one, or 0, is a port that
// is not chosen yet. Nil is valid for reading.
type Ports map[string]int

// SatisfiedBy reports whether used has every port of p that is not 0.
func (p Ports) SatisfiedBy(used Ports) bool {
	for name, number := range p {
		if number != 0 && used[name] != number {
			return false
		}
	}
	return true
}

// Chosen reports whether a port is chosen.
func (p Ports) Chosen() bool {
	for _, number := range p {
		if number != 0 {
			return true
		}
	}
	return false
}

// With returns a copy of the ports in which one is changed.
func (p Ports) With(name string, number int) Ports {
	out := maps.Clone(p)
	if out == nil {
		out = Ports{}
	}
	out[name] = number
	return out
}
