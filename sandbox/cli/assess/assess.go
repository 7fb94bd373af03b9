// Package assess implements the commands that judge traces: findings, budgets, comparisons and
// benchmarks. They exit with 3 after a negative result.
package assess

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/explain/finding"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/ui"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// Options are the flags of trace that judge it.
type Options struct {
	findings  bool
	failOn    []string
	detectors finding.Options
	check     checkOptions
	flags     *pflag.FlagSet
}

// Bind adds the flags.
func (o *Options) Bind(flags *pflag.FlagSet) {
	o.flags = flags
	flags.BoolVar(&o.findings, "findings", false, "print typical defects of the operator that the trace shows")
	flags.StringSliceVar(&o.failOn, "fail-on", nil, "`ID`s of findings, separated by commas, or any: print the findings and exit with 3 if one of them occurs")
	flags.DurationVar(&o.detectors.WebhookBudget, "webhook-budget", finding.DefaultWebhookBudget, "with --findings: time that a webhook may take")
	flags.StringSliceVar(&o.detectors.Conditions, "condition", nil, "with --findings: `TYPE` of the condition that the object must reach (default Ready, then Available)")
	o.check.bind(flags)
}

// Wanted reports whether the trace is to be judged.
func (o *Options) Wanted() bool { return o.findings || len(o.failOn) > 0 || o.check.file != "" }

// Rules say which of the options have an effect together, and with the others of trace.
func Rules() []command.Rule {
	projects := []string{"check=*.yaml", "check=*.yml"}
	finds := append([]string{"findings", "fail-on"}, projects...)
	return []command.Rule{
		{Flag: "findings", Excludes: []string{"watch"}},
		{Flag: "fail-on", Excludes: []string{"watch"}},
		{Flag: "check", Excludes: []string{"watch"}},
		{Flag: "condition", Needs: finds},
		{Flag: "webhook-budget", Needs: finds},
		{Flag: "set", Needs: []string{"check"}, Excludes: projects},
		{Flag: "check-observed", Needs: []string{"check"}, Excludes: projects},
		{Flag: "update", Needs: []string{"check"}, Excludes: projects},
	}
}

// Validate returns a usage error for wrong values.
func (o *Options) Validate(output string) error {
	// An empty variable of a script must not turn the test off.
	switch {
	case o.flags.Changed("check") && o.check.file == "":
		return command.Usagef("--check= names no file; use the path of a tree or a sandbox.yaml, or omit it")
	case o.flags.Changed("fail-on") && len(o.failOn) == 0:
		return command.Usagef("--fail-on= names no finding; use IDs of findings or any, or omit it")
	}
	if err := o.check.validate(); err != nil || !o.Wanted() {
		return err
	}
	for _, id := range o.failOn {
		if known := append(finding.IDs(), finding.Any); !slices.Contains(known, id) {
			return command.Usagef("--fail-on=%s: use %s", id, command.OneOf(known))
		}
	}
	if o.detectors.WebhookBudget <= 0 {
		return command.Usagef("--webhook-budget=%s: use a positive duration", o.detectors.WebhookBudget)
	}
	return command.CheckOutput(output, "tree", "json")
}

// report is the result of judging a trace.
type report struct {
	TraceID string `json:"traceId"`
	// Findings are nil if they were not asked for.
	Findings []finding.Finding `json:"findings,omitzero"`
	Check    *checkReport      `json:"check,omitempty"`
	// Unfinished is why the trace is not finished; empty if it is.
	Unfinished string `json:"unfinished,omitempty"`
}

// Run judges a trace and prints the result. now is the time of a live trace, and zero for a
// finished one. The error is a verdict if the result is negative.
func (o *Options) Run(out io.Writer, trace tracetree.Trace, output string, now time.Time) error {
	detectors := o.detectors
	detectors.Now, detectors.Incomplete = now, trace.Cut()
	found := finding.Find(trace.Forest(), detectors)
	r := report{TraceID: trace.ID, Unfinished: finding.Unfinished(trace.Forest(), detectors)}
	if o.findings || len(o.failOn) > 0 {
		r.Findings = append([]finding.Finding{}, found...) // Not nil.
	}
	if o.check.file != "" {
		var err error
		if r.Check, err = o.check.run(out, trace, found); err != nil {
			return err
		}
	}
	if err := r.write(out, output); err != nil {
		return err
	}
	return o.verdict(r)
}

func (r report) write(out io.Writer, output string) error {
	if output == "json" {
		return command.WriteJSON(out, r)
	}
	if _, err := io.WriteString(out, command.EscapeLines(r.String())); err != nil || r.Check == nil {
		return err
	}
	_, err := io.WriteString(ui.Raw(out), r.Check.text) // It has colors, and is escaped already.
	return err
}

// String returns the findings as text: for each a line, its explanation, and the spans.
func (r report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "trace %s\n", r.TraceID)
	switch {
	case len(r.Findings) > 0:
		fmt.Fprintf(&b, "%s\n", format.Count(len(r.Findings), "finding"))
	case r.Findings != nil && r.Unfinished != "":
		b.WriteString("no findings so far\n")
	case r.Findings != nil:
		b.WriteString("no findings\n")
	}
	if r.Unfinished != "" {
		fmt.Fprintf(&b, "the trace is not finished: %s; repeat the command when the object is ready\n", oneLine(r.Unfinished))
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n%s  %s\n", f.ID, join(": ", oneLine(f.Object), oneLine(f.Summary)))
		for line := range strings.SplitSeq(f.Explanation, "\n") {
			fmt.Fprintf(&b, "  %s\n", line)
		}
		fmt.Fprintf(&b, "  %s\n", f.Document)
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "    %s  %s\n", e.SpanID, oneLine(e.Name))
		}
		if f.More > 0 {
			fmt.Fprintf(&b, "    and %d more\n", f.More)
		}
	}
	return b.String()
}

// verdict returns an error if a finding must not occur, or the trace is not as expected.
func (o *Options) verdict(r report) error {
	var failures []string
	for _, f := range finding.Select(r.Findings, o.failOn) {
		failures = append(failures, f.ID)
	}
	switch {
	case len(failures) > 0:
		return command.Verdictf("judging trace %s: found %s", r.TraceID, strings.Join(slices.Compact(failures), ", "))
	case r.Check != nil && !r.Check.OK:
		return command.Verdictf("judging trace %s: it is not as %s expects: %s", r.TraceID, r.Check.File, format.Count(len(r.Check.Differences)+r.Check.More, "difference"))
	}
	return nil
}

// join joins the texts that are not empty.
func join(separator string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), separator)
}

// oneLine escapes the line feeds of names and messages, which come from objects and servers.
func oneLine(text string) string { return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(text) }
