package tracing

import (
	"os/exec"
	"strings"
	"testing"
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
