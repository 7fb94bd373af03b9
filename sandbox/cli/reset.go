package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/reset"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// resetLimit limits the first step of a reset, in which objects are deleted.
const resetLimit = 3 * time.Minute

// resetReport is the result of `sandbox reset` as JSON.
type resetReport struct {
	Name    string `json:"name"`
	Cluster string `json:"cluster"`
	reset.Outcome
	// Sample is the object that was applied again; empty after a dry run.
	Sample  string  `json:"sample,omitempty"`
	Seconds float64 `json:"seconds"`
}

type resetOptions struct {
	output      string
	dryRun, yes bool
}

func newReset(plan Plan, shared *command.Shared, stderr *os.File) *cobra.Command {
	var o resetOptions
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Delete everything that was created since up, and apply the sample again",
		Long: `reset returns a running sandbox to the state after its last up, much faster than down and up. It deletes all objects that up
did not install: namespaces, custom resources, CustomResourceDefinitions, webhooks and all others. Then it applies the sample
again and waits until it is ready. Components keep running. Jaeger keeps its traces and the cache is not touched.

On an embedded cluster, reset writes the difference into etcd, and takes about a second. It ignores finalizers, and also
restores objects of the sandbox that were changed or deleted. On kind it deletes the objects through the API server, and removes a
finalizer if no controller does so within two seconds. If a component is not ready afterwards, reset repairs it like up.

On an existing cluster, reset only deletes objects in the namespaces that the sandbox created, and objects of its kinds. It lists
them and asks first. All other objects of the cluster stay.

If objects still exist after the time limit, reset names each with the reason, and exits with 1. It can be repeated.
See docs/reset.md.`,
		Example: "  go run ./sandbox reset\n  go run ./sandbox reset --dry-run\n  go run ./sandbox reset -o json | jq -r '.deleted[]'",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return shared.WithProgress(cmd.Context(), stderr, func(ctx context.Context, run *lifecycle.Sandbox, progress *ui.Progress) error {
				unlock, err := run.Lock(ctx, progress.Printf)
				if err != nil {
					return err
				}
				defer unlock()
				if err := run.Attach(); err != nil {
					return err
				}
				if o.dryRun {
					return previewReset(ctx, run, cmd.OutOrStdout(), o.output)
				}
				return runReset(ctx, plan, run, progress, cmd, o)
			})
		},
	}
	command.OutputFlag(cmd, &o.output)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "preview: lists the objects and deletes nothing")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "on an existing cluster: no question before objects are deleted")
	return cmd
}

func previewReset(ctx context.Context, run *lifecycle.Sandbox, out io.Writer, output string) error {
	added, err := run.Added(ctx)
	if err != nil {
		return err
	}
	if output == "json" {
		return command.WriteJSON(out, resetReport{Name: run.Name, Cluster: run.Kind(), Outcome: reset.Outcome{Deleted: append([]string{}, added...)}})
	}
	for _, name := range added {
		fmt.Fprintln(out, name)
	}
	_, err = fmt.Fprintf(out, "Would delete %s.\n", counted(added))
	return err
}

func runReset(ctx context.Context, plan Plan, run *lifecycle.Sandbox, progress *ui.Progress, cmd *cobra.Command, o resetOptions) error {
	start := time.Now()
	if run.Record.Cluster == component.Existing {
		added, err := run.Added(ctx)
		if err != nil {
			return err
		}
		if len(added) > 0 {
			ask := asker{in: cmd.InOrStdin(), out: cmd.ErrOrStderr(), yes: o.yes}
			if err := ask.agree(ctx, "The sandbox will delete these objects, which it did not create, in "+run.Where()+":", added, "The objects can't be restored."); err != nil {
				return err
			}
		}
	}
	report, repair := resetReport{}, false
	err := graph.Do(ctx, progress, []graph.Step{{Name: "objects", Limit: resetLimit, Run: func(ctx context.Context, say provider.Report) (err error) {
		report.Outcome, repair, err = run.Reset(ctx, say)
		if err == nil {
			say("%s deleted", counted(report.Deleted))
		}
		return err
	}}})
	switch {
	case err != nil:
	case repair:
		err = runPlan(ctx, ctx, plan, run, progress, asker{in: cmd.InOrStdin(), out: cmd.ErrOrStderr(), yes: o.yes})
	default:
		err = graph.Do(ctx, progress, plan.Sample(run))
	}
	progress.Close()
	if err != nil {
		return err
	}
	sample, err := run.Sample()
	if err != nil {
		return err
	}
	report.Deleted = append([]string{}, report.Deleted...) // JSON has [], not null.
	report.Name, report.Cluster, report.Sample = run.Name, run.Kind(), sample.String()
	report.Seconds = time.Since(start).Round(time.Millisecond).Seconds()
	if err := writeReset(cmd.OutOrStdout(), o.output, report); err != nil {
		return err
	}
	if len(report.Stayed) > 0 {
		return fmt.Errorf("resetting the sandbox %s: %d objects still exist: %s", run.Name, len(report.Stayed), strings.Join(report.Stayed, "; "))
	}
	return nil
}

func writeReset(out io.Writer, output string, r resetReport) error {
	if output == "json" {
		return command.WriteJSON(out, r)
	}
	restored := ""
	if len(r.Restored) > 0 {
		restored = ", restored " + counted(r.Restored)
	}
	_, err := fmt.Fprintf(out, "Deleted %s%s. %s is ready again, after %.1f s.\n", counted(r.Deleted), restored, r.Sample, r.Seconds)
	return err
}

// counted counts names of objects by their kind: "3 objects (ConfigMap 2, Namespace 1)".
func counted(names []string) string {
	if len(names) == 0 {
		return "no objects"
	}
	counts := map[string]int{}
	for _, name := range names {
		kind, _, _ := strings.Cut(name, " ")
		counts[kind]++
	}
	const most = 6
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, kind := range kinds[:min(most, len(kinds))] {
		parts = append(parts, fmt.Sprintf("%s %d", kind, counts[kind]))
	}
	if len(kinds) > most {
		parts = append(parts, "…")
	}
	noun := "objects"
	if len(names) == 1 {
		noun = "object"
	}
	return fmt.Sprintf("%d %s (%s)", len(names), noun, strings.Join(parts, ", "))
}
