package compare

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// WriteText writes the report as a table with all measurements, and the structure.
func (r Report) WriteText(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", format.Escape(r.Headline()))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\tA MEDIAN\tP95\tB MEDIAN\tP95\tCHANGE\tP\tVERDICT\n")
	for _, m := range r.Metrics {
		fmt.Fprintln(table, strings.Join(m.cells(), "\t"))
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
	var changed, rest []Metric
	for _, m := range r.Metrics {
		if m.Verdict == Same || m.Verdict == Unknown && m.Name != SegmentTotal {
			rest = append(rest, m)
		} else {
			changed = append(changed, m)
		}
	}
	writeTable(&b, changed)
	for _, line := range r.notes() {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintf(&b, "%s\n\n", markdown(line))
		}
	}
	if len(rest) > 0 {
		fmt.Fprintf(&b, "<details><summary>%s</summary>\n\n", format.Count(len(rest), "other measurement"))
		writeTable(&b, rest)
		b.WriteString("</details>\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func writeTable(b *strings.Builder, metrics []Metric) {
	if len(metrics) == 0 {
		return
	}
	b.WriteString("| | A median | p95 | B median | p95 | change | p | verdict |\n|---|--:|--:|--:|--:|--:|--:|---|\n")
	for _, m := range metrics {
		cells := m.cells()
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
	runs := fmt.Sprintf("%s and %s", format.Count(r.RunsA, "run"), format.Count(r.RunsB, "run"))
	switch r.Verdict {
	case Unknown:
		return fmt.Sprintf("No verdict: %s, and a claim needs at least %d of each side", runs, MinRuns)
	case Same:
		return "No difference outside the noise: " + runs
	}
	var names []string
	for _, m := range r.Metrics {
		if m.Verdict == r.Verdict {
			names = append(names, m.Name)
		}
	}
	verdict := string(r.Verdict)
	return fmt.Sprintf("%s: %s (%s)", strings.ToUpper(verdict[:1])+verdict[1:], strings.Join(names, ", "), runs)
}

// notes returns the lines below the table.
func (r Report) notes() []string {
	lines := []string{"", fmt.Sprintf("A: %s", r.A), fmt.Sprintf("B: %s", r.B)}
	s := r.Structure
	lines = append(lines, fmt.Sprintf("structure: found in A for %d of %s of B", s.Known, format.Count(r.RunsB, "run")))
	for _, part := range []struct {
		what  string
		names []string
	}{{"came", s.Came}, {"went", s.Went}, {"moved", s.Moved}, {"differ", s.Other}} {
		if len(part.names) > 0 {
			lines = append(lines, fmt.Sprintf("%s: %s", part.what, strings.Join(tally(part.names), ", ")))
		}
	}
	if r.Verdict != Unknown {
		lines = append(lines, fmt.Sprintf("test: %s; alpha %g", r.Test, r.Alpha))
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

// cells returns a row of the table.
func (m Metric) cells() []string {
	p := "-"
	if m.Verdict != Unknown {
		p = strconv.FormatFloat(m.P, 'f', 3, 64)
	}
	return []string{format.Escape(m.Name), m.format(m.A.Median), m.format(m.A.P95), m.format(m.B.Median), m.format(m.B.P95), m.change(), p, string(m.Verdict)}
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
	return fmt.Sprintf("%+.0f%%", 100*difference/m.A.Median)
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
