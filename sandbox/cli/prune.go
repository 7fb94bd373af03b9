package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/prune"
)

func newPrune(shared *command.Shared) *cobra.Command {
	var output string
	var dryRun bool
	var keepDays int
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete unused files of other versions from the cache",
		Long: `prune deletes programs, layers and images from the cache that were built or pulled for other versions of the sandbox or for
operators, if no command used them for a week, or for --keep-days. It keeps everything that this version needs, programs that
are running, and entries that were used within the last hour. prune can run at the same time as any other command.

It also deletes the sandbox's own images from container engines, if no container uses them and no up used them for that time. up
loads them again from the cache within seconds.

"sandbox down --purge" deletes everything.`,
		Example: "  go run ./sandbox prune --dry-run\n  go run ./sandbox prune --keep-days=1 -o json | jq .bytes",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			const most = 36500
			if keepDays < 0 || keepDays > most {
				return command.Usagef("--keep-days=%d: use 0 to %d", keepDays, most)
			}
			run, err := lifecycle.Open(shared.Options)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), downTimeout)
			defer cancel()
			pruned, failure := prune.Run(ctx, run.Session, time.Duration(keepDays)*24*time.Hour, dryRun)
			if pruned.Cache == "" {
				return failure
			}
			if err := writePruned(cmd.OutOrStdout(), output, pruned); err != nil {
				return err
			}
			return failure
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "preview: lists the entries and deletes nothing")
	cmd.Flags().IntVar(&keepDays, "keep-days", int(prune.DefaultUnused/(24*time.Hour)), "minimum `days` since the last use")
	command.OutputFlag(cmd, &output)
	return cmd
}

func writePruned(out io.Writer, output string, p prune.Result) error {
	if output == "json" {
		return command.WriteJSON(out, p)
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	if len(p.Removed) > 0 {
		fmt.Fprintln(table, "MB\tUNUSED FOR\tWHAT")
	}
	for _, thing := range p.Removed {
		unused := "?"
		if thing.LastUsed != nil {
			unused = duration.HumanDuration(time.Since(*thing.LastUsed))
		}
		what := thing.Name
		if thing.Engine != "" {
			what += " in " + thing.Engine
		}
		command.Row(table, strconv.FormatInt(thing.Bytes>>20, 10), unused, what)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	verb := "Removed"
	if p.DryRun {
		verb = "Would remove"
	}
	_, err := fmt.Fprintf(out, "%s %d MB. The cache %s takes %d MB.\n", verb, p.Bytes>>20, p.Cache, p.CacheBytes>>20)
	return err
}
