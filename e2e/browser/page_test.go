package browser

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/view"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// rowsJS lists the rows of the page's tree in the format of the model in Go.
const rowsJS = `[...document.querySelectorAll("[role=treegrid] tbody tr")].map((r) => [r.ariaLevel, r.ariaPosInSet + "/" + r.ariaSetSize,
	r.querySelector(".label").textContent, [...r.querySelectorAll(".text")].map((e) => e.textContent).join(""), r.querySelector(".service").textContent,
	r.querySelector(".kind").textContent, r.querySelector(".start").textContent, r.querySelector(".time").textContent,
	r.querySelector(".note")?.textContent.trim() ?? "", r.querySelector(".unseen")?.textContent ?? ""].join(" | "))`

// wantRows returns the expected rows of the page for a trace, from the model in Go.
func wantRows(trace tracetree.Trace) []string { return rowsOf(view.New(trace.Forest(), label)) }

func rowsOf(w *view.Waterfall) []string {
	siblings, position := map[int]int{}, make([]int, len(w.Rows))
	for i, row := range w.Rows {
		siblings[row.Parent]++
		position[i] = siblings[row.Parent]
	}
	var rows []string
	for i, row := range w.Rows {
		label := ""
		for _, l := range row.Labels {
			label += " " + l
		}
		if row.Trace != "" {
			label += " continued in trace " + row.Trace
		}
		rows = append(rows, strings.Join([]string{
			fmt.Sprint(row.Depth + 1), fmt.Sprintf("%d/%d", position[i], siblings[row.Parent]), row.Name, label, row.Service, row.Kind,
			"+" + format.Duration(row.Offset), format.Duration(row.Duration), strings.Join(row.Notes, ", "), wordsOf(row),
		}, " | "))
	}
	return rows
}

func wordsOf(row view.Row) string {
	words := ""
	for _, word := range row.Words {
		words += ", " + word.Text
	}
	return words
}

// TestPageShowsWhatTheTerminalDoes compares the page's model in JavaScript with the terminal's
// model in Go for several traces.
func TestPageShowsWhatTheTerminalDoes(t *testing.T) {
	traces := map[string]string{"tangled": tangled(), "hostile": hostile(), "eventful": eventful()}
	for seed := range uint64(8) {
		traces[fmt.Sprintf("random %d", seed)] = random(seed, 60)
	}
	check := func(t *testing.T, trace tracetree.Trace) {
		t.Helper()
		p := open(t, pageOf(t, trace))
		if diff := cmp.Diff(wantRows(trace), eval[[]string](p, rowsJS)); diff != "" {
			t.Errorf("rows (-terminal +page):\n%s", diff)
		}
		var ticks []string
		for _, tick := range view.New(trace.Forest(), label).Ticks(4) {
			ticks = append(ticks, fmt.Sprint(tick.Nanoseconds()))
		}
		if got := eval[int](p, `document.querySelectorAll(".axis span").length`); got != len(ticks) {
			t.Errorf("the axis has %d ticks, want %v", got, ticks)
		}
		p.wantQuiet("file://")
	}
	t.Run("recorded", func(t *testing.T) { check(t, recorded(t)) })
	t.Run("continued", func(t *testing.T) { check(t, continued(t)) })
	for name, otlp := range traces {
		t.Run(name, func(t *testing.T) { check(t, parsed(t, otlp)) })
	}
}

// hostile returns a trace whose texts contain markup.
func hostile() string {
	evil := []string{
		`</script><script>alert(1)</script>`, `<img src=x onerror=alert(2)>`, `$(reboot); ` + "`reboot`" + ` && 'x' "y"`, `{{.Policy}} ${alert(3)}`,
		"\x1b[2J\x1b]0;title\x07", "\u202egnp.exe", "<!--<script>", "]]>&amp;&lt;", "\u2028\u2029\u0000\ufeff", "javascript:alert(4)",
	}
	var spans []string
	for i, text := range evil {
		quoted := fmt.Sprintf(`{"key":%s,"value":{"stringValue":%[1]s}}`, jsonText(text))
		name := jsonText(text)
		span := spanJSON(i+1, min(i, 1), "NAME", int64(i), 100, fmt.Sprintf(`,"traceState":%s,"status":{"code":2,"message":%[1]s},"attributes":[%s,{"key":"operator.object.name","value":{"stringValue":%[1]s}}],
			"events":[{"name":%[1]s,"timeUnixNano":"1700000000000000050","attributes":[%[2]s]}],"links":[{"traceId":"abcdef0123456789abcdef0123456789","spanId":"0123456789abcdef","attributes":[%[2]s]}]`, name, quoted))
		spans = append(spans, strings.Replace(span, `"NAME"`, name, 1))
	}
	return strings.Replace(traceJSON(spans...), `"shop"`, jsonText(evil[0]), 1)
}

func TestHostileTextsStayText(t *testing.T) {
	p := open(t, pageOf(t, parsed(t, hostile())))
	for row := range eval[int](p, `document.querySelectorAll("tr.span").length`) {
		p.do(chromedp.Click(chromedp.CSS(fmt.Sprintf("tr.span:nth-child(%d) .label", row+1))))
	}
	if got := eval[int](p, `document.querySelectorAll("img, iframe, main script, [onerror], a[href]").length`); got != 0 {
		t.Errorf("texts made %d elements", got)
	}
	details := eval[string](p, `document.querySelector(".details").innerText + document.querySelector("main").innerText`)
	for _, hidden := range []string{"\x1b", "\u202e", "\u2028"} {
		if strings.Contains(details, hidden) {
			t.Errorf("the page has %q without escapes", hidden)
		}
	}
	for _, shown := range []string{`\x1b[2J`, `\u202egnp.exe`, `<img src=x onerror=alert(2)>`, `$(reboot); `} {
		if !strings.Contains(details, shown) {
			t.Errorf("page without %q", shown)
		}
	}
	p.wantQuiet("file://")
}

func TestPageWithoutScripts(t *testing.T) {
	trace := recorded(t)
	p := blank(t)
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	p.do(chromedp.Navigate(pageOf(t, trace)))
	var want bytes.Buffer
	if err := view.New(trace.Forest(), label).WriteText(&want, view.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := eval[string](p, `document.querySelector("noscript pre").textContent`); got != want.String() {
		t.Errorf("the page shows\n%s\nwant\n%s", got, &want)
	}
	p.wantQuiet("file://")
}

// TestManySpans tests that a trace of many spans opens in acceptable time.
func TestManySpans(t *testing.T) {
	const count, soon = 5000, 10 * time.Second
	spans := make([]string, count)
	for i := range spans {
		spans[i] = spanJSON(i+1, (i+3)/4, "step", int64(i)*1000, int64(count)*1000, "")
	}
	address := pageOf(t, parsed(t, traceJSON(spans...)))
	p := blank(t)
	begin := time.Now()
	p.do(chromedp.Navigate(address))
	p.waitFor(fmt.Sprintf(`document.querySelectorAll("tr.span").length === %d`, count))
	opened := time.Since(begin)
	p.click("tr.span")
	begin = time.Now()
	p.press(endKey)
	moved := time.Since(begin)
	t.Logf("%d spans: open after %s, the last one focused after %s more", count, opened.Round(time.Millisecond), moved.Round(time.Millisecond))
	if opened > soon || moved > soon {
		t.Errorf("%d spans open after %s and move after %s, want at most %s each", count, opened, moved, soon)
	}
	if got := eval[bool](p, `document.activeElement === [...document.querySelectorAll("tr.span")].at(-1)`); !got {
		t.Error("the key End does not move to the last span")
	}
	p.wantQuiet("file://")
}

// TestNarrowWindow tests that the width of a phone shows the tree and the bars without horizontal
// scrolling.
func TestNarrowWindow(t *testing.T) {
	p := blank(t)
	p.do(chromedp.EmulateViewport(360, 640), chromedp.Navigate(pageOf(t, recorded(t))))
	p.click("tr.span:nth-child(3)")
	if got := eval[[]int](p, `[document.documentElement.scrollWidth, document.querySelector(".scroll").scrollWidth]`); got[0] > 360 || got[1] > 360 {
		t.Errorf("width of the page = %d, of its tree = %d, want at most 360", got[0], got[1])
	}
	if got := eval[int](p, `document.querySelector("td.bars .lane").clientWidth`); got < 60 {
		t.Errorf("the bars have %d pixels", got)
	}
	p.wantQuiet("file://")
}

// TestAxisLabels tests that every label of the axis is on the axis and overlaps with no other
// label.
func TestAxisLabels(t *testing.T) {
	for _, end := range []int64{1e9, 957e6, 15e6} {
		p := blank(t)
		p.do(chromedp.Navigate(pageOf(t, parsed(t, traceJSON(spanJSON(1, 0, "root", 0, end, ""))))))
		for _, width := range []int64{320, 360, 480, 640, 641, 800, 1000, 1280, 1920} {
			p.do(chromedp.EmulateViewport(width, 640))
			labels := eval[[][2]float64](p, `[...document.querySelectorAll(".axis span")].map((e) => e.getBoundingClientRect()).filter((r) => r.width > 0).map((r) => [r.left, r.right])`)
			cell := eval[[2]float64](p, `(() => { const r = document.querySelector("th.bars").getBoundingClientRect(); return [r.left, r.right]; })()`)
			if len(labels) < 2 && width > 320 {
				t.Errorf("%d ns in %d pixels: the axis has %d labels", end, width, len(labels))
			}
			for i, label := range labels {
				if label[0] < cell[0] || label[1] > cell[1] {
					t.Errorf("%d ns in %d pixels: label %d at %v is not within %v", end, width, i, label, cell)
				}
				if i > 0 && label[0] < labels[i-1][1] {
					t.Errorf("%d ns in %d pixels: label %d at %v overlaps with the label at %v", end, width, i, label, labels[i-1])
				}
			}
		}
	}
}

func TestReadmePicture(t *testing.T) {
	data, err := os.ReadFile("../../docs/trace.svg")
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, fileOf(t, "trace.svg", data))
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		wantContrast(p, "text", `getComputedStyle(document.querySelector(".card")).fill`, "fill")
	}
	// No text exceeds the card.
	if got := eval[[]string](p, `[...document.querySelectorAll("text")].filter((e) => { const b = e.getBBox(), v = document.documentElement.viewBox.baseVal;
		return b.x < 0 || b.x + b.width > v.width || b.y + b.height > v.height; }).map((e) => e.textContent)`); len(got) > 0 {
		t.Errorf("texts outside of the picture: %q", got)
	}
	images := withRole(p.accessibles(), "image")
	if len(images) != 1 || !strings.HasPrefix(images[0].Name, "Head default/head-sample Trace ") || !strings.Contains(images[0].Name, "create Deployment below reconcile ChildA: ") {
		t.Errorf("accessible elements = %+v", images)
	}
	p.wantQuiet("file://")
}
