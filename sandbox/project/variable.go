package project

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Variable is an environment variable. As in a Pod, its value can refer to preceding variables as
// $(NAME).
type Variable struct {
	Name, Value string
	// FieldPath is the field of the Pod that contains the value. It replaces Value if not empty.
	FieldPath string
}

// NodeAddress is the variable with the address of the sandbox's Jaeger. The values of later
// variables can refer to it.
const NodeAddress = "SANDBOX_NODE_ADDRESS"

// Telemetry describes the receivers of the sandbox's Jaeger.
type Telemetry struct {
	// Host is the address of the receivers (default the address of the Pod's node). The name of the
	// Service would delay the first spans, because the DNS of a new cluster becomes ready later
	// than the operator.
	Host string
	// Ports are the ports; missing ones are the usual ones.
	Ports component.Ports
}

// Variables returns the environment variables that configure the exporter of an operator.
func (t Telemetry) Variables(serviceName string) []Variable {
	host := Variable{Name: NodeAddress, Value: t.Host}
	if t.Host == "" {
		host.FieldPath = "status.hostIP"
	}
	url := func(p component.Port) string {
		return "http://$(" + NodeAddress + "):" + strconv.Itoa(cmp.Or(t.Ports[p.Name], p.Number)) + p.Path
	}
	variables := []Variable{
		host,
		{Name: "SANDBOX_OTLP_HTTP", Value: url(component.PortNamed(component.OTLPHTTP))}, // For values of the user, if an exporter supports only HTTP.
		{Name: "OTEL_SERVICE_NAME", Value: serviceName},
		{Name: "OTEL_EXPORTER_OTLP_PROTOCOL", Value: "grpc"},
		// Milliseconds. The first spans can wait this long for a starting cluster.
		{Name: "OTEL_EXPORTER_OTLP_TIMEOUT", Value: "25000"},
		// Milliseconds. Short, because the user waits for the trace.
		{Name: "OTEL_BSP_SCHEDULE_DELAY", Value: "200"},
		// Spans. 200 new Heads cause about 3000 spans, more than the default of 2048, and spans
		// accumulate if processors are scarce.
		{Name: "OTEL_BSP_MAX_QUEUE_SIZE", Value: "8192"},
	}
	for _, p := range component.AllPorts() {
		if p.Variable != "" {
			variables = append(variables, Variable{Name: p.Variable, Value: url(p)})
		}
	}
	return variables
}

// setVariable adds a variable, or replaces the variable with its name in place, because later
// variables can refer to it.
func setVariable(list []Variable, v Variable) []Variable {
	if i := slices.IndexFunc(list, func(other Variable) bool { return other.Name == v.Name }); i >= 0 {
		list[i] = v
		return list
	}
	return append(list, v)
}
