package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// WriteText writes the failures and then a table of all plans.
func (r *Report) WriteText(out io.Writer) error {
	var b strings.Builder
	if r.Problem != "" {
		r.writeProblem(&b)
	}
	for _, p := range r.Failures() {
		b.WriteString(p.Text(r.Clean))
		b.WriteString("\n")
	}
	if len(r.Plans) > 0 {
		r.writeTable(&b)
	}
	r.writeSummary(&b)
	_, err := io.WriteString(out, format.EscapeText(b.String()))
	return err
}

func (r *Report) writeProblem(b *strings.Builder) {
	fmt.Fprintf(b, "No plan was run: %s\n", r.Problem)
	for _, v := range r.Clean.Verdicts {
		fmt.Fprintf(b, "  %s\n", v.Message)
	}
	part(b, "The end of the operator's log", r.Clean.Log)
	b.WriteString("\n")
}

// Text returns everything about a failed plan.
func (p *Plan) Text(clean Clean) string {
	var b strings.Builder
	fmt.Fprintf(&b, "FAILED %s: %s\n", p.Plan, p.Target)
	for _, v := range p.Verdicts {
		fmt.Fprintf(&b, "  %s\n", v.Message)
		if v.Path != "" && (v.Want != "" || v.Got != "") {
			fmt.Fprintf(&b, "    without the fault: %s\n    with the fault:    %s\n", short(v.Want), short(v.Got))
		}
	}
	for _, exit := range p.Exits {
		fmt.Fprintf(&b, "  the operator exited without a kill: %s\n", exit)
	}
	part(&b, "Writes without and with the fault", p.Writes)
	part(&b, "Trace without the fault", clean.Trace)
	part(&b, "Trace with the fault", p.Trace)
	part(&b, "The end of the operator's log", p.Log)
	if p.Repeat != "" {
		fmt.Fprintf(&b, "\n  Repeat it: %s\n", p.Repeat)
	}
	return b.String()
}

// maxValue is the number of characters of a value in a text.
const maxValue = 200

func short(text string) string {
	if text == "" {
		return "(absent)"
	}
	if letters := []rune(text); len(letters) > maxValue {
		return string(letters[:maxValue]) + "…"
	}
	return text
}

// part writes an indented text below a title, if there is one.
func part(b *strings.Builder, title, text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	fmt.Fprintf(b, "\n  %s:\n", title)
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		b.WriteString(strings.TrimRight("    "+line, " \n") + "\n")
	}
}

func (r *Report) writeTable(b *strings.Builder) {
	rows, total := r.counts()
	rows = append(rows, total)
	width := 0
	for _, row := range rows {
		width = max(width, len(row.fault))
	}
	fmt.Fprintf(b, "%-*s  PLANS  PASSED  FAILED  NOT REACHED\n", width, "FAULT")
	for _, row := range rows {
		fmt.Fprintf(b, "%-*s  %5d  %6d  %6d  %11d\n", width, row.fault, row.plans, row.passed, row.failed, row.unreached)
	}
	b.WriteString("\n")
}

func (r *Report) writeSummary(b *strings.Builder) {
	if r.Problem == "" {
		fmt.Fprintf(b, "%s: %d of %d writes and %d of %d events hit by a fault, in %s\n",
			r.Sample, r.covered(false), len(r.Clean.Writes), r.covered(true), len(r.Clean.Events), duration(r.Seconds))
	}
	if len(r.Pruned) > 0 {
		fmt.Fprintf(b, "pruned plans: %d, which can find nothing more; --list names the reasons, --full runs them\n", len(r.Pruned))
	}
	if len(r.Skipped) > 0 {
		why := "the budget was used up"
		if r.Interrupted {
			why = "the command was interrupted"
		}
		fmt.Fprintf(b, "plans not run: %d, since %s: %s\n", len(r.Skipped), why, some(r.Skipped))
	}
}

// maxNames is the number of names in a line.
const maxNames = 5

func some(names []string) string {
	if len(names) <= maxNames {
		return strings.Join(names, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], " "), len(names)-maxNames)
}

// WriteList writes all plans, and why some are pruned, without running them.
func (r *Report) WriteList(out io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, p := range r.Plans {
		fmt.Fprintf(table, "%s\t%s\n", p.Plan, p.Target)
	}
	for _, p := range r.Pruned {
		fmt.Fprintf(table, "%s\tpruned: %s\n", p.Plan, p.Reason)
	}
	_ = table.Flush() // A Builder accepts everything.
	if len(r.Clean.Mask) > 0 {
		b.WriteString("\nNot compared, since they differ between runs without a fault:\n")
		for _, path := range r.Clean.Mask {
			fmt.Fprintf(&b, "  %s\n", path)
		}
	}
	_, err := io.WriteString(out, format.EscapeText(b.String()))
	return err
}
