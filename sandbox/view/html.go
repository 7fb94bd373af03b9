package view

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// The page's parts. Scripts are joined in the order of use, in one function, so that nothing of them is global.
var (
	//go:embed assets/page.html
	pageHTML string
	//go:embed assets/page.css
	pageStyle string
	//go:embed assets/model.js
	modelScript string
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

// page is what the template shows.
type page struct {
	Title  string
	Policy string
	// Base has the page name the path below which it is served; a server may change that.
	Base   bool
	Style  template.CSS
	Script template.JS
	// OTLP is the trace that is in the page.
	OTLP json.RawMessage
	// Labels are keys of attributes, separated by spaces.
	Labels string
	// Continued tells the script at which spans other traces of OTLP continue: a JSON object.
	Continued string
	// Text is for browsers that run no scripts.
	Text string
}

// HTMLOptions say how [Waterfall.WriteHTML] writes.
type HTMLOptions struct {
	// Title is the page's; empty for "Trace" and the trace's id.
	Title string
	// OTLP is the same trace as OTLP JSON, with everything that spans were sent with, and with the traces that continue it. Required.
	OTLP []byte
}

// WriteHTML writes the trace as a page that is whole in itself: nothing is loaded, and its policy has browsers refuse to. The
// page works with keyboard and screen reader, in the light and dark of the reader's system, and shows plain text where
// scripts don't run. An error is that of OTLP that is no JSON, or of writing.
func (w *Waterfall) WriteHTML(out io.Writer, options HTMLOptions) error {
	if !json.Valid(options.OTLP) {
		return fmt.Errorf("writing the page of trace %s: its spans are no JSON", w.TraceID)
	}
	title := options.Title
	if title == "" {
		title = "Trace " + w.TraceID
	}
	var text strings.Builder
	if err := w.WriteText(&text, TextOptions{}); err != nil {
		return err
	}
	continued, err := json.Marshal(w.continued())
	if err != nil {
		return err
	}
	p := page{
		Title: Escape(title), OTLP: options.OTLP, Labels: strings.Join(w.options.Labels, " "), Continued: string(continued), Text: text.String(),
	}
	return p.write(out, "base-uri 'none'; form-action 'none'", fileScript)
}

// spanOf names a span to the script of the page.
type spanOf struct {
	Trace string `json:"trace"`
	Span  string `json:"span"`
}

// continued returns the span at which each other trace continues, by the trace's id.
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

// WriteJaegerPage writes a page for Jaeger to serve in place of its own, as the index.html of its ui.assets_path: it searches
// traces by Jaeger's API and shows them as [Waterfall.WriteHTML] does. Jaeger puts its base path into it. Labels are those of
// [Options]. The same program writes the same bytes.
func WriteJaegerPage(out io.Writer, options Options) error {
	p := page{Title: "Traces", Base: true, Labels: strings.Join(options.Labels, " "), Text: "This page reads from Jaeger by a script. `sandbox trace NAME` shows traces in a terminal."}
	return p.write(out, "connect-src 'self'; base-uri 'self'; form-action 'self'", jaegerScript)
}

// write fills in the style, the scripts, and the policy that allows these alone and what else is named.
func (p page) write(out io.Writer, policy, script string) error {
	all := "\"use strict\";\n(() => {\n" + strings.Join([]string{modelScript, waterfallScript, detailsScript, script}, "\n") + "})();\n"
	p.Style, p.Script = template.CSS(pageStyle), template.JS(all)
	p.Policy = fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; img-src data:; %s", hashOf(all), hashOf(pageStyle), policy)
	return pageTemplate.Execute(out, p)
}

// hashOf names a script or a style in a policy.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
