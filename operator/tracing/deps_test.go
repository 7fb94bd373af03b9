package tracing

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/internal/modgraph"
)

// TestNoSDK: adopters choose the SDK, this module does not, not even in its tests.
func TestNoSDK(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test", "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("listing the dependencies: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "go.opentelemetry.io/otel/trace\n") {
		t.Fatal("the OpenTelemetry API is not listed: the list says nothing")
	}
	for _, dep := range strings.Fields(string(out)) {
		if strings.HasPrefix(dep, "go.opentelemetry.io/otel/sdk") || strings.HasPrefix(dep, "go.opentelemetry.io/otel/exporters") {
			t.Errorf("%s is a dependency", dep)
		}
	}
}

// operatorsModules are the modules that an operator has anyway, and spantree.
var operatorsModules = []string{
	"sigs.k8s.io/controller-runtime",
	"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go",
	"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/trace",
	"github.com/go-logr/logr",
	"github.com/operator-tracing/sandbox/operator/tracing/spantree", // which requires nothing
}

// TestModuleGraph holds what an adopter's module graph gains: what an operator has anyway, what that brings, and nothing else,
// not even for tests.
func TestModuleGraph(t *testing.T) {
	graph, err := modgraph.Read(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	beyond, err := graph.Beyond(operatorsModules...)
	if err != nil {
		t.Fatal(err)
	}
	if len(beyond) > 0 {
		t.Errorf("modules that neither controller-runtime, Kubernetes' libraries nor the OpenTelemetry API bring: %q", beyond)
	}
}

// TestDirectModules holds what this module itself imports. Any of it may go, nothing else may come.
func TestDirectModules(t *testing.T) {
	allowed := slices.Concat(operatorsModules, []string{
		"github.com/evanphx/json-patch/v5", "gomodules.xyz/jsonpatch/v2", // of controller-runtime's, for patches
		"github.com/google/go-cmp", "go.uber.org/goleak", // for tests
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
