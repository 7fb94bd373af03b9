package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// downTimeout limits down, including the wait for the lock of another command.
const downTimeout = 5 * time.Minute

func newDown(shared *command.Shared, stderr *os.File) *cobra.Command {
	var purge, yes bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Delete everything that up created",
		Long: `down deletes the cluster (a node with its volumes and network, or the processes of an embedded cluster), the kubeconfig and
the sandbox's state.

It keeps the cache, so that the next up is fast; --purge deletes the cache too. If the sandbox is not running, down does
nothing and succeeds.

From an existing cluster it deletes the objects that up added, which it finds by their labels, and nothing else. It keeps a
` + component.List(component.IsShared) + ` that was installed before, and a namespace that has other objects. The CustomResourceDefinitions that up created
are deleted with all their objects. If others created some of these objects, down lists them and asks first.`,
		Example: "  go run ./sandbox down\n  go run ./sandbox down --purge   # with the caches",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			run, err := shared.Open()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), downTimeout)
			defer cancel()
			progress := ui.NewProgress(stderr)
			defer progress.Close()
			run.Note = progress.Printf
			unlock, err := run.Lock(ctx, progress.Printf)
			if err != nil {
				return err
			}
			defer unlock()
			losses, err := run.Losses(ctx)
			if err != nil {
				return err
			}
			if len(losses) > 0 {
				ask := asker{in: cmd.InOrStdin(), out: stderr, yes: yes}
				if err := ask.agree(ctx, "The sandbox will delete these objects, which it did not create, with their CustomResourceDefinitions, which it did:", losses, "The objects can't be restored."); err != nil {
					return err
				}
			}
			return runDown(ctx, run, progress, purge)
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "deletion of the caches and of the engine's images too")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "on an existing cluster: no question before the sandbox's CustomResourceDefinitions are deleted with objects of others")
	return cmd
}

// runDown deletes the sandbox. Without a record there can be remains of a sandbox whose folder was
// deleted, but usually there is nothing.
func runDown(ctx context.Context, run *lifecycle.Sandbox, progress *ui.Progress, purge bool) error {
	name, none := "removing the sandbox", run.Record.Name == ""
	if none {
		name = "looking for remains"
	}
	step := progress.Step(name)
	err := run.Down(ctx, purge, step.Detail)
	switch {
	case none && err == nil && purge:
		step.Detail("there is no sandbox %s; the caches are deleted", run.Name)
	case none && err == nil:
		step.Detail("there is no sandbox %s: nothing to remove", run.Name)
	}
	step.End(err)
	return err
}

func newStop(shared *command.Shared) *cobra.Command {
	return &cobra.Command{
		Use:   "stop COMPONENT",
		Short: "Stop one process of an embedded cluster until the next up",
		Long: `stop stops one process of an embedded cluster gracefully; the next up starts it again. Use it to see the cluster without that
process. To run your own operator in the place of the sandbox's, use run.

The components are ` + strings.Join(provider.ProcessNames(), ", ") + `.`,
		Example:   "  go run ./sandbox stop jaeger",
		ValidArgs: provider.ProcessNames(),
		Args:      command.ExactArgs(1, "the name of a component"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := shared.Open()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), downTimeout)
			defer cancel()
			unlock, err := run.Lock(ctx, nil)
			if err != nil {
				return err
			}
			defer unlock()
			if err := run.Attach(); err != nil {
				return err
			}
			err = run.StopProcess(ctx, args[0])
			if errors.Is(err, provider.ErrNoComponent) || errors.Is(err, lifecycle.ErrNoProcess) {
				return command.Usage(err)
			}
			return err
		},
	}
}
