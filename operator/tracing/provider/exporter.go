package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/exporters/jaeger" //nolint:staticcheck // deprecated upstream; users still run collectors that need it
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

const (
	exporterKey       = "OTEL_TRACES_EXPORTER"
	jaegerEndpointKey = "OTEL_EXPORTER_JAEGER_ENDPOINT"
)

// builtinExporters are the exporters that always exist.
var builtinExporters = []string{"otlp", "jaeger", "console", "none"}

// exporterNames returns the list in OTEL_TRACES_EXPORTER without repetitions, and checks the
// variables of these exporters.
func (v *variables) exporterNames() []string {
	var names []string
	for name := range strings.SplitSeq(cmp.Or(v.get(exporterKey), "otlp"), ",") {
		name = strings.TrimSpace(name)
		if lower := strings.ToLower(name); slices.Contains(builtinExporters, lower) {
			name = lower
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if slices.Contains(names, "otlp") {
		v.checkOTLP()
	}
	if slices.Contains(names, "jaeger") {
		v.check(jaegerEndpointKey, endpoint(false), "http://localhost:14268/api/traces")
	}
	v.corrected[exporterKey] = "" // newExporter sets it to a single name.
	return names
}

// exporters creates the named exporters and reports the others. The environment must have the
// corrected values.
func (v *variables) exporters(ctx context.Context, names []string) []sdktrace.SpanExporter {
	var exporters []sdktrace.SpanExporter
	var created []string
	var failed []error
	for _, name := range names {
		exporter, err := v.newExporter(ctx, name)
		switch {
		case err == nil && exporter == nil:
			err = fmt.Errorf("creating exporter %q: its factory returned nil", name)
			fallthrough
		case err != nil && !slices.Contains(builtinExporters, name):
			failed = append(failed, err)
		case err != nil:
			v.problems = append(v.problems, err)
		default:
			created = append(created, name)
			if !autoexport.IsNoneSpanExporter(exporter) {
				exporters = append(exporters, exporter)
			}
		}
	}
	if len(failed) > 0 {
		reason := strings.ReplaceAll(errors.Join(failed...).Error(), "\n", "; ")
		using := "no exporter, spans are dropped"
		if len(created) > 0 {
			using = strings.Join(created, ",")
		}
		v.report(exporterKey, reason, using)
	}
	return exporters
}

// newExporter creates one exporter.
func (v *variables) newExporter(ctx context.Context, name string) (exporter sdktrace.SpanExporter, err error) {
	switch {
	case name == "jaeger":
		exporter, err = jaeger.New(jaeger.WithCollectorEndpoint())
	case name == "otlp" && v.overGRPC():
		exporter, err = otlptracegrpc.New(ctx, otlptracegrpc.WithDialOption(patientDial...))
	case name == "":
		err = errors.New("empty name")
	default:
		setenv(exporterKey, name, true)
		defer setenv(exporterKey, "", false)
		exporter, err = autoexport.NewSpanExporter(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("creating exporter %q: %w", name, err)
	}
	return exporter, nil
}

// patientDial makes an export wait for a connection, up to OTEL_EXPORTER_OTLP_TIMEOUT. Without it,
// gRPC fails the export at once and the exporter retries after five seconds. A program exports its
// first spans when the cluster's DNS, the endpoints of the Service and the collector may have just
// started, too. These spans include the roots of traces.
var patientDial = []grpc.DialOption{
	grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
	grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
		MinConnectTimeout: 5 * time.Second,
	}),
}
