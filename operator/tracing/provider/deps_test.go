package provider

import (
	"slices"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/internal/modgraph"
)

// chosenModules are the modules that this module exists for. Package tracing requires
// controller-runtime.
var chosenModules = []string{
	"github.com/operator-tracing/sandbox/operator/tracing",
	"go.opentelemetry.io/otel/sdk",
	"go.opentelemetry.io/contrib/exporters/autoexport",
	"go.opentelemetry.io/contrib/propagators/autoprop",
	"go.opentelemetry.io/otel/exporters/jaeger",
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc",
}

// TestModuleGraph checks that an adopter's module graph gains only these modules and their
// requirements.
func TestModuleGraph(t *testing.T) {
	graph, err := modgraph.Read(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	beyond, err := graph.Beyond(chosenModules...)
	if err != nil {
		t.Fatal(err)
	}
	if len(beyond) > 0 {
		t.Errorf("modules that no chosen module requires: %q", beyond)
	}
}

// TestDirectModules checks that this module imports no others.
func TestDirectModules(t *testing.T) {
	allowed := slices.Concat(chosenModules, []string{
		"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/trace", "github.com/go-logr/logr",
		"google.golang.org/grpc",              // for the dial options of the exporter
		"github.com/prometheus/client_golang", // as in controller-runtime
		"sigs.k8s.io/controller-runtime",      // for its logger
		// For tests.
		"github.com/operator-tracing/sandbox/operator/tracing/spantree",
		"github.com/google/go-cmp", "go.opentelemetry.io/proto/otlp", "go.uber.org/goleak",
		"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go",
	})
	direct, err := modgraph.Direct(t.Context(), ".")
	if err != nil || len(direct) == 0 {
		t.Fatalf("requirements %q, error %v", direct, err)
	}
	for _, module := range direct {
		if !slices.Contains(allowed, module) {
			t.Errorf("%s is required", module)
		}
	}
}
