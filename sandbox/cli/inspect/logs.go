package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/cli/complete"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/ui"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// NewLogs returns the command `sandbox logs`.
func NewLogs(shared *command.Shared) *cobra.Command {
	var o provider.LogOptions
	cmd := &cobra.Command{
		Use:   "logs [COMPONENT]",
		Short: "Print the logs of the sandbox's components",
		Long: `logs prints the last lines of a component's log. Without an argument it prints the logs of all components, with the
component's name in front of each line. On an embedded cluster it also works while the sandbox is down or broken, if its state
exists. On kind it gets the Pods' logs from the API server, and the node's logs from the container engine.

The components of a kind cluster are ` + strings.Join(provider.LogNames(component.Kind), ", ") + `.

The components of an embedded cluster are ` + strings.Join(provider.LogNames(component.Embedded), ", ") + `.

` + strings.Join(provider.LogGroups(component.Embedded), " and ") + ` select all their programs.`,
		Example: "  go run ./sandbox logs operator -f\n  go run ./sandbox logs --tail=5\n  go run ./sandbox logs operator --previous",

		ValidArgsFunction: complete.Log(shared),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return command.Usagef("expected at most one component, got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runLogs(cmd, shared, strings.Join(args, ""), o) },
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.Follow, "follow", "f", false, "new lines too, until Ctrl-C")
	flags.IntVar(&o.Lines, "tail", 20, "`number` of last lines; -1 for all")
	flags.DurationVar(&o.Since, "since", 0, "maximum age of a line, for example 5m (kind only)")
	flags.BoolVarP(&o.Previous, "previous", "p", false, "log of the previous container or process")
	return cmd
}

func runLogs(cmd *cobra.Command, shared *command.Shared, name string, o provider.LogOptions) error {
	if o.Lines < -1 {
		return command.Usagef("--tail=%d: use 0 or more, or -1 for all", o.Lines)
	}
	if o.Since < 0 {
		return command.Usagef("--since=%s: use a time above 0, for example 5m", o.Since)
	}
	run, err := shared.Attach()
	if err != nil {
		return err
	}
	out := ui.Raw(cmd.OutOrStdout()) // Logs can have colors.
	names, err := run.LogParts(name)
	if len(names) > 1 && o.Previous { // The node appends to its own logs in every run.
		names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(cluster.NodeLogs(), n) })
	}
	if err == nil && len(names) == 1 {
		err = run.Logs(cmd.Context(), out, names[0], o)
	} else if err == nil {
		err = severalLogs(cmd.Context(), out, run, names, o)
	}
	if errors.Is(err, provider.ErrNoComponent) || errors.Is(err, provider.ErrLogOption) {
		return command.Usage(err)
	}
	if o.Follow && cmd.Context().Err() != nil {
		return nil // The user pressed Ctrl-C.
	}
	return err
}

// severalLogs prints several logs, one after another. With Follow it prints them at the same time,
// line by line. If a log can't be read, it prints the others and returns the error.
func severalLogs(ctx context.Context, out io.Writer, run *lifecycle.Sandbox, names []string, o provider.LogOptions) error {
	var mu sync.Mutex
	var group errgroup.Group
	if !o.Follow {
		group.SetLimit(1) // One after another, in order.
	}
	errs := make([]error, len(names))
	for i, name := range names {
		group.Go(func() error {
			lines := &workload.LineWriter{Mutex: &mu, Out: out, Prefix: fmt.Sprintf("%-24s ", name)}
			err := run.Logs(ctx, lines, name, o)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, workload.ErrNoLog) {
				err = nil // The component never ran. The other logs show the reason.
			}
			if err == nil {
				err = lines.Flush()
			}
			errs[i] = err
			return nil
		})
	}
	_ = group.Wait() // The errors are in errs.
	failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch {
	case len(failed) == 0:
		return nil
	case len(failed) > 1:
		return fmt.Errorf("%w (and %d more)", failed[0], len(failed)-1)
	}
	return failed[0]
}
