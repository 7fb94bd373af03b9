package provider_test

import (
	"context"
	"fmt"
	"os"

	"github.com/operator-tracing/sandbox/operator/tracing/provider"
)

// By default, New logs malformed variables and continues. With WithStrict it returns them.
func ExampleWithStrict() {
	_ = os.Setenv("OTEL_TRACES_SAMPLER", "sometimes")
	defer os.Unsetenv("OTEL_TRACES_SAMPLER") //nolint:errcheck // cannot fail for a valid name

	_, err := provider.New(context.Background(), provider.WithStrict())
	fmt.Println(err)
	// Output: reading OTEL_TRACES_SAMPLER="sometimes": unknown sampler
}
