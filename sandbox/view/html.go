package view

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// The parts of the page. The scripts are joined in dependency order inside one function, so they
// define no globals.
var (
	//go:embed assets/page.html
	pageHTML string
	//go:embed assets/page.css
	pageStyle string
	//go:embed assets/model.js
	modelScript string
	//go:embed assets/facts.js
	factsScript string
	//go:embed assets/scale.js
	scaleScript string
	//go:embed assets/waterfall.js
	waterfallScript string
	//go:embed assets/details.js
	detailsScript string
	//go:embed assets/file.js
	fileScript string
	//go:embed assets/graph.js
	graphScript string
	//go:embed assets/walk.js
	walkScript string
	//go:embed assets/why.js
	whyScript string
	//go:embed assets/jaeger.js
	jaegerScript string

	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
)

type page struct {
	Title  string
	Policy string
	// Base adds a <base> element with the path of the page, which a server can replace.
	Base   bool
	Style  template.CSS
	Script template.JS
	// OTLP is the trace to embed in the page.
	OTLP json.RawMessage
	// Labels are keys of attributes, separated by spaces.
	Labels string
	// Continued is a JSON object that maps the id of each continuing trace in OTLP to the span it
	// continues.
	Continued string
	// Why explains the trace to the script; empty without an explanation.
	Why json.RawMessage
	// Only is the selection of rows at first.
	Only string
	// Text is shown by browsers without scripts.
	Text string
}

// whyOf is the explanation of a trace for the script of the page.
type whyOf struct {
	Summary string              `json:"summary"`
	Lines   []string            `json:"lines"`
	Path    explain.Explanation `json:"explanation"`
	// Shift is the start of the explained change on the axis.
	Shift time.Duration `json:"shift"`
}

// WriteHTML writes the trace as a self-contained page. The page loads nothing, and its content
// security policy makes browsers refuse to. It works with a keyboard and a screen reader, supports
// light and dark colors, and shows plain text in browsers without scripts. An empty title means
// "Trace" and the trace's id. The OTLP is the same trace as OTLP JSON, with all details of its spans
// and with the traces that continue it. A page of a selection has all spans, and shows the selection
// first. WriteHTML returns an error if it is not valid JSON or if
// writing fails.
func (w *Waterfall) WriteHTML(out io.Writer, title string, otlp []byte) error {
	if !json.Valid(otlp) {
		return fmt.Errorf("writing the page of trace %s: its OTLP is not valid JSON", w.TraceID)
	}
	var text strings.Builder
	if err := w.WriteText(&text, TextOptions{}); err != nil {
		return err
	}
	continued, err := json.Marshal(cmp.Or(w.whole, w).continued())
	if err != nil {
		return err
	}
	p := page{
		Only:  w.only,
		Title: format.Escape(cmp.Or(title, "Trace "+w.TraceID)), OTLP: format.EscapeJSON(otlp), Labels: strings.Join(w.labels, " "), Continued: string(continued), Text: text.String(),
	}
	if w.why != nil {
		data, err := json.Marshal(whyOf{w.why.summary, w.why.lines, w.why.raw, w.why.raw.Start.Sub(w.Begin)})
		if err != nil {
			return err
		}
		p.Why = format.EscapeJSON(data)
	}
	return p.write(out, "base-uri 'none'; form-action 'none'", fileScript)
}

// spanOf identifies a span for the script of the page.
type spanOf struct {
	Trace string `json:"trace"`
	Span  string `json:"span"`
}

// continued maps the id of each continuing trace to the span that it continues.
func (w *Waterfall) continued() map[string]spanOf {
	spans := map[string]spanOf{}
	for _, row := range w.Rows {
		if row.Trace != "" {
			parent := w.Rows[row.Parent]
			spans[row.traceID] = spanOf{parent.traceID, parent.spanID}
		}
	}
	return spans
}

// WriteJaegerPage writes a page for Jaeger to serve instead of its own UI, as the index.html of its
// ui.assets_path. The page searches traces with Jaeger's API and shows them as
// [Waterfall.WriteHTML] does, with an explanation that the page computes itself. Jaeger inserts its base path. Labels are as in [New].
// The same program always writes the same bytes.
func WriteJaegerPage(out io.Writer, labels ...string) error {
	p := page{Title: "Traces", Base: true, Labels: strings.Join(labels, " "), Text: "This page needs JavaScript to read traces from Jaeger. To see traces in a terminal, run `sandbox trace NAME`."}
	return p.write(out, "connect-src 'self'; base-uri 'self'; form-action 'self'", strings.Join([]string{graphScript, walkScript, whyScript, jaegerScript}, "\n"))
}

// write adds the style, the scripts, and a policy that allows only them and the sources in policy.
func (p page) write(out io.Writer, policy, script string) error {
	all := "\"use strict\";\n(() => {\n" + strings.Join([]string{modelScript, factsScript, scaleScript, waterfallScript, detailsScript, script}, "\n") + "})();\n"
	p.Style, p.Script = template.CSS(pageStyle), template.JS(all)
	p.Policy = fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; img-src data:; %s", hashOf(all), hashOf(pageStyle), policy)
	return pageTemplate.Execute(out, p)
}

// hashOf returns the source expression of a script or style in a policy.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
