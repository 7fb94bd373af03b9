package show

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// sandboxReader reads traces of the running sandbox for a comparison.
type sandboxReader struct{ shared *command.Shared }

// Object implements assess.Reader.
func (r sandboxReader) Object(cmd *cobra.Command, reference string) (tracetree.Trace, error) {
	trace, _, err := findTrace(cmd, r.shared, traceOptions{}, []string{reference})
	return trace, err
}

// ID implements assess.Reader.
func (r sandboxReader) ID(cmd *cobra.Command, id string) (tracetree.Trace, error) {
	run, err := r.shared.Attach()
	if err != nil {
		return tracetree.Trace{}, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), command.LookTimeout)
	defer cancel()
	return run.TraceWithID(ctx, id)
}
