package assess

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/explain/compare"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// NewDiff returns the command `sandbox trace diff`.
func NewDiff(reader Reader) *cobra.Command {
	var output string
	var fail bool
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two traces, or two sets of traces",
		Long: `diff compares traces: which spans came or went, how often the operator reconciled and wrote, and how long it took. B is the
newer side.

Each side is a file with OTLP JSON or with measurements of "sandbox bench --save", a folder with such files, the ID of a trace, or
the name of an object, or several of them, separated by commas. Each trace is one run. IDs and objects need a running sandbox.

A difference is claimed only if it is outside the noise of several runs: the Mann-Whitney U test with Holm's correction must show it,
with a probability of a false claim of at most 5 %. With less than 4 runs of a side, diff prints the values and claims nothing. See
docs/comparing.md.`,
		Example: `  go run ./sandbox trace diff before.json after.json
  go run ./sandbox trace diff before/ after/ -o markdown
  go run ./sandbox trace diff main.json memcached/sample
  go run ./sandbox trace diff a1.json,a2.json,a3.json,a4.json b/ --fail-on-regression`,
		Args: command.ExactArgs(2, "two sides"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := command.CheckOutput(output, "text", "markdown", "json"); err != nil {
				return err
			}
			var sides [2]compare.Set
			for i, argument := range args {
				var err error
				if sides[i], err = readSide(cmd, reader, argument); err != nil {
					return err
				}
			}
			report := compare.Compare(sides[0], sides[1])
			if err := writeReport(cmd.OutOrStdout(), report, output); err != nil {
				return err
			}
			if fail {
				return regression(report)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "text", "output format: text, markdown or json")
	flags.BoolVar(&fail, "fail-on-regression", false, "exit with 3 if B is worse")
	return cmd
}

func writeReport(out io.Writer, report compare.Report, output string) error {
	switch output {
	case "json":
		return command.WriteJSON(out, report)
	case "markdown":
		return report.WriteMarkdown(ui.NewPrinter(out))
	}
	return report.WriteText(ui.NewPrinter(out))
}

// regression returns a verdict if side B is worse.
func regression(report compare.Report) error {
	if report.Verdict != compare.Worse {
		return nil
	}
	return command.Verdictf("comparing %s with %s: %s", report.A, report.B, report.Headline())
}
