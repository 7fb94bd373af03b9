package report

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"escape": format.EscapeText, "short": short, "duration": duration,
}).Parse(page))

// pageRow is a row of the page's table.
type pageRow struct {
	Fault                            string
	Plans, Passed, Failed, Unreached int
}

// WriteHTML writes a page without scripts: the table, and for each failed plan the traces and writes
// without and with the fault beside each other.
func (r *Report) WriteHTML(out io.Writer) error {
	rows, total := r.counts()
	shown := struct {
		*Report
		Rows                   []pageRow
		WritesCovered, Covered int
		Bad                    []Plan
	}{Report: r, WritesCovered: r.covered(false), Covered: r.covered(true), Bad: r.Failures()}
	for _, c := range append(rows, total) {
		shown.Rows = append(shown.Rows, pageRow{c.fault, c.plans, c.passed, c.failed, c.unreached})
	}
	return pageTemplate.Execute(out, shown)
}
