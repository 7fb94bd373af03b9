package install

import (
	"errors"
	"fmt"

	"github.com/operator-tracing/sandbox/config"
)

// JaegerOptions configures [Jaeger].
type JaegerOptions struct {
	// Image is Jaeger v2's image; its entry point is the jaeger binary. Required.
	Image Image
	// Version is what status reports, for example "v2.13.0". Required.
	Version string
}

// Jaeger renders Jaeger, all-in-one and in memory, on the node's own network: its ports are those of the node.
func Jaeger(o JaegerOptions) (*Component, error) {
	if o.Version == "" {
		return nil, errors.New("rendering jaeger: no version")
	}
	objects, err := config.Build("jaeger", "")
	if err != nil {
		return nil, err
	}
	if err := setImage(objects, "jaeger", o.Image); err != nil {
		return nil, fmt.Errorf("rendering jaeger: %w", err)
	}
	return newComponent(JaegerName, o.Version, objects), nil
}
