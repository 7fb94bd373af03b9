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
	"github.com/operator-tracing/sandbox/sandbox/explain/report"
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
	//go:embed assets/jaeger.js
	jaegerScript string

	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
)

// JaegerTraces is the path of explained traces, relative to the base path of Jaeger.
const JaegerTraces = "/sandbox/traces/"

type page struct {
	Title  string
	Policy string
	// Base adds a <base> element with the path of the page, which a server can replace.
	Base   bool
	Style  template.CSS
	Script template.JS
	// Trace is the trace to embed in the page, a document.
	Trace json.RawMessage
	// Labels are keys of attributes, separated by spaces.
	Labels string
	// Text is shown by browsers without scripts.
	Text string
}

// document is a trace for the scripts of the pages.
type document struct {
	OTLP json.RawMessage `json:"otlp"`
	// Continued maps the id of each continuing trace in OTLP to the span that it continues.
	Continued map[string]spanOf `json:"continued,omitempty"`
	Why       *whyOf            `json:"why,omitempty"`
	// Selection is the selection of rows at first.
	Selection string `json:"selection,omitempty"`
}

// whyOf is the explanation of a trace for the scripts of the pages.
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
	data, err := w.document(otlp)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := w.WriteText(&text, TextOptions{}); err != nil {
		return err
	}
	p := page{Title: format.Escape(cmp.Or(title, "Trace "+w.TraceID)), Trace: format.EscapeJSON(data), Labels: strings.Join(w.labels, " "), Text: text.String()}
	return p.write(out, "base-uri 'none'; form-action 'none'", fileScript)
}

// WriteJSON writes the trace for the page of [WriteJaegerPage], which reads it from the path
// [JaegerTraces] followed by the id of the trace. The OTLP is as in [Waterfall.WriteHTML].
func (w *Waterfall) WriteJSON(out io.Writer, otlp []byte) error {
	data, err := w.document(otlp)
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	return err
}

func (w *Waterfall) document(otlp []byte) ([]byte, error) {
	s := document{OTLP: otlp, Continued: cmp.Or(w.whole, w).continued(), Selection: w.only}
	if w.why != nil {
		s.Why = &whyOf{w.why.summary, report.Lines(w.why.raw, 0), w.why.raw, w.why.raw.Start.Sub(w.Begin)}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("writing the page of trace %s: %w", w.TraceID, err)
	}
	return data, nil
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
// [Waterfall.WriteHTML] does. A server in front of Jaeger adds explanations, see
// [Waterfall.WriteJSON]. Jaeger inserts its base path. Labels are as in [New].
// The same program always writes the same bytes.
func WriteJaegerPage(out io.Writer, labels ...string) error {
	p := page{Title: "Traces", Base: true, Labels: strings.Join(labels, " "), Text: "This page needs JavaScript to read traces from Jaeger. To see traces in a terminal, run `sandbox trace NAME`."}
	return p.write(out, "connect-src 'self'; base-uri 'self'; form-action 'self'", jaegerScript)
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
