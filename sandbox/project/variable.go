package project

import "slices"

// Variable is one of an environment. As in a Pod, its value may name variables that stand before it as $(NAME).
type Variable struct {
	Name, Value string
	// FieldPath is where the value comes from, in a Pod, in place of Value; empty for most.
	FieldPath string
}

// NodeAddress is the variable for the address at which the sandbox's Jaeger is reached. Values of variables after it may name it.
const NodeAddress = "SANDBOX_NODE_ADDRESS"

// Telemetry is where the sandbox's Jaeger takes spans.
type Telemetry struct {
	// Host is the address of its receivers. Empty is that of the Pod's node: by its Service's name the first spans would wait
	// for the cluster's DNS, which in a new cluster answers later than an operator starts.
	Host string
	// OTLPGRPC, OTLPHTTP and Thrift are its ports; zeros are the usual ones.
	OTLPGRPC, OTLPHTTP, Thrift int
}

// Variables tell an operator to send its spans there, soon, and as whom.
func (t Telemetry) Variables(serviceName string) []Variable {
	host := Variable{Name: NodeAddress, Value: t.Host}
	if t.Host == "" {
		host.FieldPath = "status.hostIP"
	}
	url := func(port, usual int) string {
		if port == 0 {
			port = usual
		}
		return "http://$(" + NodeAddress + "):" + itoa(port)
	}
	return []Variable{
		host,
		{Name: "SANDBOX_OTLP_HTTP", Value: url(t.OTLPHTTP, 4318)}, // For a value of the user's: operators whose exporter speaks HTTP alone.
		{Name: "OTEL_SERVICE_NAME", Value: serviceName},
		{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Value: url(t.OTLPGRPC, 4317)},
		{Name: "OTEL_EXPORTER_OTLP_PROTOCOL", Value: "grpc"},
		{Name: "OTEL_EXPORTER_JAEGER_ENDPOINT", Value: url(t.Thrift, 14268) + "/api/traces"},
		// Milliseconds. The first spans wait this long for a cluster that is just coming up.
		{Name: "OTEL_EXPORTER_OTLP_TIMEOUT", Value: "25000"},
		// Milliseconds. Somebody is waiting for the trace.
		{Name: "OTEL_BSP_SCHEDULE_DELAY", Value: "200"},
		// Spans. 200 new Heads make about 3000, more than the default of 2048, and whatever is not sent for want of processors
		// must wait.
		{Name: "OTEL_BSP_MAX_QUEUE_SIZE", Value: "8192"},
	}
}

// setVariable adds a variable, or replaces the one of its name in its place: later ones may refer to it.
func setVariable(list []Variable, v Variable) []Variable {
	if i := slices.IndexFunc(list, func(other Variable) bool { return other.Name == v.Name }); i >= 0 {
		list[i] = v
		return list
	}
	return append(list, v)
}
