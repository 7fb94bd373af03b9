package compare

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// WriteText writes the report as a table with all measurements, and the structure.
func (r Report) WriteText(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", format.Escape(r.Headline()))
	if r.equal() {
		_, err := io.WriteString(out, b.String())
		return err
	}
	b.WriteString("\n")
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.ToUpper(strings.Join(r.columns(), "\t")))
	for _, m := range r.Metrics {
		fmt.Fprintln(table, strings.Join(r.cells(m), "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, line := range r.notes() {
		fmt.Fprintf(&b, "%s\n", format.Escape(line)) // The names of spans can have line feeds.
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// WriteMarkdown writes the report for a comment of a pull request: the measurements that differ,
// and the others folded.
func (r Report) WriteMarkdown(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", markdown(r.Headline()))
	if r.equal() {
		_, err := io.WriteString(out, b.String())
		return err
	}
	var changed, rest []Metric
	for _, m := range r.Metrics {
		if m.Verdict == Same || m.Verdict == Unknown && m.Name != SegmentTotal {
			rest = append(rest, m)
		} else {
			changed = append(changed, m)
		}
	}
	r.writeTable(&b, changed)
	for _, line := range r.notes() {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintf(&b, "%s\n\n", markdown(line))
		}
	}
	if len(rest) > 0 {
		fmt.Fprintf(&b, "<details><summary>%s</summary>\n\n", format.Count(len(rest), "other measurement"))
		r.writeTable(&b, rest)
		b.WriteString("</details>\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (r Report) writeTable(b *strings.Builder, metrics []Metric) {
	if len(metrics) == 0 {
		return
	}
	columns := r.columns()
	fmt.Fprintf(b, "| %s |\n|---|%s\n", strings.TrimPrefix(strings.Join(columns, " | "), " "), strings.Repeat("--:|", len(columns)-1))
	for _, m := range metrics {
		cells := r.cells(m)
		for i := range cells {
			cells[i] = markdown(cells[i])
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
	b.WriteString("\n")
}

// markdown escapes the characters that have a meaning in Markdown.
func markdown(text string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "_", `\_`, "*", `\*`, "`", "\\`", "[", `\[`, "\n", " ").Replace(text)
}

// Headline returns the verdict in one line.
func (r Report) Headline() string {
	runs := fmt.Sprintf("A has %s, B has %s", format.Count(r.RunsA, "trace"), format.Count(r.RunsB, "trace"))
	switch {
	case r.equal():
		return fmt.Sprintf("A (%s) and B (%s) are equal: the tree of spans, and %s of counts and times (%s)", r.A, r.B, format.Count(len(r.Metrics), "measurement"), runs)
	case r.Verdict == Unknown:
		return fmt.Sprintf("Values without a verdict: %s; a verdict needs at least %d traces of each side", runs, MinRuns)
	case r.Verdict == Same:
		return fmt.Sprintf("No significant difference: %s", runs)
	}
	var names []string
	for _, m := range r.Metrics {
		if m.Verdict == r.Verdict {
			names = append(names, m.Name)
		}
	}
	return fmt.Sprintf("B is %s: %s (%s)", r.Verdict, strings.Join(names, ", "), runs)
}

// notes returns the lines below the table.
func (r Report) notes() []string {
	lines := []string{"", fmt.Sprintf("A: %s", r.A), fmt.Sprintf("B: %s", r.B)}
	s := r.Structure
	lines = append(lines, fmt.Sprintf("trees of spans: as in A in %d of %s of B", s.Known, format.Count(r.RunsB, "trace")))
	for _, part := range []struct {
		what  string
		names []string
	}{{"only in B", s.Came}, {"only in A", s.Went}, {"below another span in B", s.Moved}, {"other differences", s.Other}} {
		if len(part.names) > 0 {
			lines = append(lines, fmt.Sprintf("%s: %s", part.what, strings.Join(tally(part.names), ", ")))
		}
	}
	if r.Verdict != Unknown {
		lines = append(lines, fmt.Sprintf("test: %s; at most %g %% of such comparisons find a difference by chance", r.Test, 100*r.Alpha))
	}
	return lines
}

// tally joins equal names: 3 × update_status Head.
func tally(names []string) []string {
	count := map[string]int{}
	var order []string
	for _, name := range names {
		if count[name]++; count[name] == 1 {
			order = append(order, name)
		}
	}
	for i, name := range order {
		if n := count[name]; n > 1 {
			order[i] = fmt.Sprintf("%d × %s", n, name)
		}
	}
	return order
}

// single reports whether each side is one trace: there are no percentiles and no verdicts then.
func (r Report) single() bool { return r.RunsA == 1 && r.RunsB == 1 }

// columns returns the titles of the table.
func (r Report) columns() []string {
	if r.single() {
		return []string{"", "A", "B", "change"}
	}
	return []string{"", "A median", "p95", "B median", "p95", "change", "p value", "verdict"}
}

// cells returns a row of the table.
func (r Report) cells(m Metric) []string {
	if r.single() {
		return []string{format.Escape(m.Name), m.format(m.A.Median), m.format(m.B.Median), m.change()}
	}
	p, verdict := "-", "-"
	if m.Verdict != Unknown {
		p, verdict = strconv.FormatFloat(m.P, 'f', 3, 64), string(m.Verdict)
	}
	return []string{format.Escape(m.Name), m.format(m.A.Median), m.format(m.A.P95), m.format(m.B.Median), m.format(m.B.P95), m.change(), p, verdict}
}

func (m Metric) format(value float64) string {
	if m.Unit == "" {
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	d := time.Duration(value)
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// change returns the relative change of a duration, or the absolute change of a count.
func (m Metric) change() string {
	difference := m.B.Median - m.A.Median
	switch {
	case difference == 0:
		return "0"
	case m.Unit == "" || m.A.Median == 0:
		sign := ""
		if difference > 0 {
			sign = "+"
		}
		return sign + m.format(difference)
	}
	if change := math.Round(100 * difference / m.A.Median); change != 0 {
		return fmt.Sprintf("%+.0f%%", change)
	}
	return "0%"
}

// WriteSummary writes the median and the 95th percentile of the measurements of one set, as a table
// of text or Markdown.
func WriteSummary(out io.Writer, s Set, asMarkdown bool) error {
	metrics := Compare(Set{}, s).Metrics
	var b strings.Builder
	if asMarkdown {
		fmt.Fprintf(&b, "### %s: %s\n\n| | median | p95 |\n|---|--:|--:|\n", markdown(s.Name), format.Count(len(s.Runs), "run"))
		for _, m := range metrics {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", markdown(m.Name), m.format(m.B.Median), m.format(m.B.P95))
		}
	} else {
		fmt.Fprintf(&b, "%s: %s\n\n", format.Escape(s.Name), format.Count(len(s.Runs), "run"))
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "\tMEDIAN\tP95")
		for _, m := range metrics {
			fmt.Fprintf(table, "%s\t%s\t%s\n", format.Escape(m.Name), m.format(m.B.Median), m.format(m.B.P95))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
