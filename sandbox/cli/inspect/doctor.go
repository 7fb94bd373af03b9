package inspect

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/doctor"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
)

// NewDoctor returns the command `sandbox doctor`.
func NewDoctor(shared *command.Shared) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find problems of this machine that prevent a sandbox, with remedies",
		Long: `doctor checks the machine: the container engine, its privileges and cgroups, limits, memory, disks, ports, proxies, the
registries of the images, Go, and the build tools of a node image. It prints a remedy for each problem, and then the kinds of
sandbox that can run here. It needs no sandbox and changes nothing. It runs one container that prints its privileges and exits.

It has the options of up. It exits with 0 if an up with the same options could run, else with 1. up runs the quick checks
automatically.`,
		Example: "  go run ./sandbox doctor\n  go run ./sandbox doctor --cluster=kind -o json",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := lifecycle.Doctor(cmd.Context(), shared.Options, func(string, ...any) {})
			if err != nil {
				return err
			}
			if err := writeReport(cmd.OutOrStdout(), output, report); err != nil {
				return err
			}
			if report.Chosen == "" {
				return errors.New("no sandbox of the requested kind can run here; fix the problems above")
			}
			return nil
		},
	}
	shared.BindUp(cmd.Flags())
	command.OutputFlag(cmd, &output)
	return cmd
}

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
			name = "" // Another finding of the same check.
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
		fmt.Fprintf(text, "\n%s with these options uses: %s\n", hint.Command("up"), report.Chosen)
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
