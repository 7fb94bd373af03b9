package tracing

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/internal/modgraph"
)

// TestNoSDK: this module does not depend on an SDK, not even in its tests, so that adopters can
// choose one.
func TestNoSDK(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test", "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("listing the dependencies: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "go.opentelemetry.io/otel/trace\n") {
		t.Fatal("the OpenTelemetry API is missing in the list, so the list is not valid")
	}
	for _, dep := range strings.Fields(string(out)) {
		if strings.HasPrefix(dep, "go.opentelemetry.io/otel/sdk") || strings.HasPrefix(dep, "go.opentelemetry.io/otel/exporters") {
			t.Errorf("%s is a dependency", dep)
		}
	}
}

// operatorsModules are the modules that every operator already has, and spantree.
var operatorsModules = []string{
	"sigs.k8s.io/controller-runtime",
	"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go",
	"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/trace",
	"github.com/go-logr/logr",
	"github.com/operator-tracing/sandbox/operator/tracing/spantree", // has no requirements
}

// TestModuleGraph checks that this module adds nothing to an adopter's module graph except modules
// that an operator already has, and their requirements. This includes requirements of tests.
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
		t.Errorf("unexpected modules %q, want only requirements of controller-runtime, Kubernetes' libraries and the OpenTelemetry API", beyond)
	}
}

// TestDirectModules checks the modules that this module imports. A module may be removed, but none
// may be added.
func TestDirectModules(t *testing.T) {
	allowed := slices.Concat(operatorsModules, []string{
		"github.com/evanphx/json-patch/v5", "gomodules.xyz/jsonpatch/v2", // for patches, as in controller-runtime
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
