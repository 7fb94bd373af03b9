package inspect

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/doctor"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
)

// NewDoctor returns the command `sandbox doctor`.
func NewDoctor(shared *command.Shared) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what on this machine keeps a sandbox from working, and what mends it",
		Long: `doctor looks at the machine: the container engine, its privileges and cgroups, limits, memory, disks, ports, proxies, the
registries that images are pulled from, Go, and what a node image is built with. For each problem it prints the command that
mends it, and at the end which kinds of sandbox can run here. It needs no sandbox and changes nothing; it starts a
container that prints what it is granted and ends.

It takes the options of up, and exits with 0 if an up with the same options could run, else with 1. up runs the quick part of it
by itself.`,
		Example: "  go run ./sandbox doctor\n  go run ./sandbox doctor --cluster=kind -o json",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := command.CheckOutput(output, "text", "json"); err != nil {
				return err
			}
			report, err := lifecycle.Doctor(cmd.Context(), shared.Options, func(string, ...any) {})
			if err != nil {
				return err
			}
			if err := writeReport(cmd.OutOrStdout(), output, report); err != nil {
				return err
			}
			if report.Chosen == "" {
				return errors.New("no sandbox of the kind that was asked for can run here: see the problems")
			}
			return nil
		},
	}
	shared.BindUp(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// marks are how severities look.
var marks = map[doctor.Severity]string{doctor.OK: "✓", doctor.Warning: "!", doctor.Problem: "✗"}

func writeReport(out io.Writer, output string, report doctor.Report) error {
	if output == "json" {
		return command.WriteJSON(out, report)
	}
	text := &strings.Builder{}
	check := ""
	for _, f := range report.Findings {
		name := f.Check
		if name == check {
			name = "" // It goes on.
		}
		check = f.Check
		summary := strings.Join(strings.Fields(f.Summary), " ")
		fmt.Fprintf(text, " %s %-12s %s\n", marks[f.Severity], name, summary)
		if f.Remedy != "" {
			fmt.Fprintf(text, "   %-12s → %s\n", "", f.Remedy)
		}
	}
	fmt.Fprintln(text)
	for _, v := range report.Verdicts {
		fmt.Fprintf(text, "%-19s %s\n", v.Mode, describeVerdict(v))
	}
	if report.Chosen != "" {
		fmt.Fprintf(text, "\nsandbox up with these options takes: %s\n", report.Chosen)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func describeVerdict(v doctor.Verdict) string {
	switch {
	case !v.CanRun:
		return "can't run: see " + strings.Join(v.Why, ", ")
	case len(v.ToBuild) > 0:
		return "can run; to be built first: " + strings.Join(v.ToBuild, ", ")
	}
	return "can run"
}
