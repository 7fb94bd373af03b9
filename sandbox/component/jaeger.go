package component

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	client "github.com/operator-tracing/sandbox/sandbox/jaeger"
)

// Jaeger stores the traces. It is also the name of its program.
const Jaeger = "jaeger"

// Names of Jaeger's ports, as records and `sandbox status -o json` have them.
const (
	UI       = "ui"
	Query    = "query"
	OTLPGRPC = "otlpGRPC"
	OTLPHTTP = "otlpHTTP"
	Thrift   = "thrift"
)

// jaegerVersion is Jaeger's own version. Its Go module of the same commit is v1.76.0, because Jaeger's
// tags from v2 on are not versions of its Go module.
const jaegerVersion = "v2.13.0"

// Ports of Jaeger that are not for the user.
const (
	// JaegerHealth is Jaeger's port for probes on an embedded cluster.
	JaegerHealth = "jaegerHealth"
	// JaegerPage is Jaeger's own port for its page and HTTP query API, behind the gate on the user's
	// port; see package companion. A kind node of an old version has none.
	JaegerPage = "jaegerPage"
)

const (
	// JaegerUser is the name of the only user of Jaeger's page, which config/jaeger sets.
	JaegerUser = "sandbox"
	// JaegerAuth is the value of JAEGER_UI_AUTH with which Jaeger's page requires a password.
	JaegerAuth = "{authenticator: basicauth}"
)

var jaeger = Component{
	Name: Jaeger, Title: "Jaeger", Version: jaegerVersion,
	// Its digest is missing: this repository was written without access to a registry, and no public
	// source states it.
	Images:   []string{"docker.io/jaegertracing/jaeger:" + jaegerVersion[1:]},
	Outside:  []string{Embedded},
	Check:    jaegerServes,
	Programs: []Program{{Name: Jaeger, Stop: 1, Listens: []Listener{{Name: JaegerHealth}, {Name: JaegerPage}}}},
	Ports: []Port{
		{Name: UI, Number: 16686, Flag: "jaeger-ui-port", Use: "Jaeger's web interface", Env: "JAEGER_UI_PORT", Scheme: "http", Label: "Jaeger"},
		{Name: Query, Number: 16685, Flag: "jaeger-query-port", Use: "Jaeger's gRPC query API", Env: "JAEGER_QUERY_PORT",
			Label: "query API", Protocol: "gRPC"},
		{Name: OTLPGRPC, Number: 4317, Flag: "otlp-grpc-port", Use: "OTLP over gRPC", Env: "JAEGER_OTLP_GRPC_PORT",
			Label: "OTLP", Protocol: "gRPC", Variable: "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{Name: OTLPHTTP, Number: 4318, Flag: "otlp-http-port", Use: "OTLP over HTTP", Env: "JAEGER_OTLP_HTTP_PORT", Label: "OTLP", Protocol: "HTTP"},
		{Name: Thrift, Number: 14268, Flag: "thrift-port", Use: "Jaeger Thrift over HTTP", Env: "JAEGER_THRIFT_PORT",
			Scheme: "http", Path: "/api/traces", Label: "Thrift", Variable: "OTEL_EXPORTER_JAEGER_ENDPOINT"},
	},
	Source: Source{
		Module: "sandbox/source/jaeger", Package: "tool", Output: Jaeger, User: "10001",
		Stamp: "github.com/jaegertracing/jaeger/internal/version.latestVersion=" + jaegerVersion,
	},
}

// jaegerServes asks both query APIs for the services, and sends no spans to both receivers. A port
// without an address is not asked.
func jaegerServes(ctx context.Context, addresses map[string]string) error {
	var group errgroup.Group
	for port, ask := range map[string]func(context.Context, string) error{
		UI: asksServices, Query: asksServices, OTLPGRPC: takesSpans, OTLPHTTP: takesSpans,
	} {
		address := addresses[port]
		if address == "" {
			continue
		}
		if port == OTLPHTTP {
			address = "http://" + address
		}
		group.Go(func() error {
			if err := ask(ctx, address); err != nil {
				return fmt.Errorf("checking Jaeger's port %s: %w", port, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func asksServices(ctx context.Context, address string) error {
	reader, err := client.Dial(address)
	if err != nil {
		return err
	}
	defer reader.Close()
	_, err = reader.Services(ctx)
	return err
}

func takesSpans(ctx context.Context, address string) error {
	sender, err := client.DialOTLP(address)
	if err != nil {
		return err
	}
	defer sender.Close()
	return sender.Ping(ctx)
}
