package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/up"
)

func newTrace(shared *shared) *cobra.Command {
	return &cobra.Command{Use: "trace NAME"}
}

func newStatus(shared *shared) *cobra.Command {
	return &cobra.Command{Use: "status"}
}

func showSample(ctx context.Context, run *up.Run, out io.Writer) error { return nil }
