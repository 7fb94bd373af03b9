package view

import (
	"cmp"
	_ "embed"
	"encoding/xml"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// The dimensions of the picture in pixels. A monospaced character is 0.6 times as wide as the text
// size.
const (
	textSize   = 12
	textColumn = 7.2
	// smallColumn is the width of a character of quiet text.
	smallColumn = 6.6
	rowHeight   = 20
	margin      = 16
	titleLine   = 24
	axisWidth   = 420
	indent      = 14
	// maxIndents limits the indentation of rows, and maxName the length of names.
	maxIndents = 24
	maxName    = 48
	// shortID is the number of digits that the picture shows of a trace id.
	shortID = 8
	minBar  = 2
	// durationRoom is the space to the right of the axis for the duration of a bar that ends there,
	// and wordRoom the most space for words.
	durationRoom = 64
	wordRoom     = 320
	// tickRoom is the least distance of a tick from the length of a folded gap.
	tickRoom = 48
	// maxDescribed limits the number of spans in the description for screen readers.
	maxDescribed = 100
)

// svgStyle draws a card with its own background, so the picture is readable on light and dark
// pages.
//
//go:embed assets/picture.css
var svgStyle string

// SVGOptions configures [Waterfall.WriteSVG].
type SVGOptions struct {
	// Title is the heading of the picture, also for screen readers (default "Trace" and the trace's
	// id).
	Title string
	// Path draws the critical path, if the trace is explained.
	Path bool
}

// WriteSVG draws the trace as a self-contained picture: no scripts, nothing to load, colors for
// light and dark, and a title and a description for screen readers. The same trace always results
// in the same bytes. WriteSVG returns the error of out.
func (w *Waterfall) WriteSVG(out io.Writer, options SVGOptions) error {
	title := cmp.Or(options.Title, "Trace "+w.TraceID)
	p := &picture{Waterfall: w, axisAt: margin + w.treeWidth() + margin}
	p.width = p.axisAt + axisWidth + p.roomRight() + margin
	p.top = margin + titleLine + rowHeight
	if w.why != nil {
		p.top += rowHeight
	}
	p.bottom = p.top + float64(len(w.Rows)*rowHeight)
	p.height = p.bottom + rowHeight + margin

	root := el("svg", "xmlns", "http://www.w3.org/2000/svg", "width", number(p.width), "height", number(p.height),
		"viewBox", "0 0 "+number(p.width)+" "+number(p.height), "role", "img", "aria-labelledby", "title description")
	root.add(
		textEl("title", format.Escape(title), "id", "title"),
		textEl("desc", w.describe(), "id", "description"),
		textEl("style", "\n"+svgStyle),
		el("rect", "class", "card", "x", "0.5", "y", "0.5", "width", number(p.width-1), "height", number(p.height-1), "rx", "8"),
		p.text("heading", margin, margin+textSize, format.Limit(format.Escape(title), int((p.width-2*margin)/textColumn)-format.Cells(w.summary())-2)),
	)
	summary := p.text("quiet", p.width-margin, margin+textSize, w.summary())
	root.add(summary.with("text-anchor", "end"))
	if w.why != nil {
		root.add(p.text("quiet", margin, margin+titleLine+textSize, format.Limit(format.Escape(w.why.summary), int((p.width-2*margin)/smallColumn))))
	}
	p.drawAxis(root)
	for i, row := range w.Rows {
		root.add(p.row(i, row))
	}
	if options.Path && w.why != nil {
		root.add(p.path())
	}
	p.drawLegend(root)
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(out)
	encoder.Indent("", " ")
	if err := encoder.Encode(root); err != nil {
		return err
	}
	_, err := io.WriteString(out, "\n")
	return err
}

type picture struct {
	*Waterfall
	width, height, top, bottom, axisAt float64
}

// treeWidth returns the width of the widest name with its indentation.
func (w *Waterfall) treeWidth() float64 {
	widest := 0.0
	for _, row := range w.Rows {
		widest = max(widest, indented(row)+textColumn*float64(format.Cells(pictureName(row))))
	}
	return widest
}

func indented(row Row) float64 { return float64(min(row.Depth, maxIndents) * indent) }

// pictureName returns the text of a row in the tree. A failure is marked by more than its color.
func pictureName(row Row) string {
	name := format.Limit(row.Name, maxName)
	if row.Failed {
		name = "✗ " + name
	}
	if row.Trace != "" {
		name += " (continued in trace " + format.Limit(row.Trace, shortID+1) + ")"
	}
	return name
}

// drawAxis draws the ticks, and a strip with its length for each folded gap.
func (p *picture) drawAxis(root *element) {
	var strips []float64
	for _, f := range p.folds {
		from, to := p.place(f.from), p.place(f.to)
		strips = append(strips, (from+to)/2)
		root.add(
			el("rect", "class", "fold", "x", number(from), "y", number(p.top-4), "width", number(to-from), "height", number(p.bottom-p.top+4)),
			p.text("quiet", (from+to)/2, p.top-9, foldText(f)).with("text-anchor", "middle"),
		)
	}
	for _, tick := range p.Ticks(4) {
		x := p.place(tick)
		root.add(el("path", "class", "grid", "d", "M"+number(x)+" "+number(p.top-4)+"V"+number(p.bottom)))
		if !slices.ContainsFunc(strips, func(strip float64) bool { return math.Abs(strip-x) < tickRoom }) {
			root.add(p.text("quiet", x, p.top-9, format.Tick(tick)).with("text-anchor", "middle"))
			strips = append(strips, x)
		}
	}
}

// drawLegend draws the colors and names of the span kinds in the trace.
func (p *picture) drawLegend(root *element) {
	x, y := p.axisAt, p.bottom+rowHeight
	for _, kind := range []string{spantree.KindServer, spantree.KindConsumer, spantree.KindProducer, spantree.KindClient, spantree.KindInternal} {
		name := strings.ToLower(kind)
		if !slices.ContainsFunc(p.Rows, func(r Row) bool { return r.Kind == kind && !r.Failed }) {
			continue
		}
		group := el("g", "class", name)
		group.add(
			el("rect", "class", "bar", "x", number(x), "y", number(y-8), "width", "10", "height", "8", "rx", "1.5"),
			p.text("quiet", x+14, y, name),
		)
		root.add(group)
		x += 14 + textColumn*float64(len(name)+1)
	}
}

func (p *picture) place(offset time.Duration) float64 { return p.axisAt + axisWidth*p.at(offset) }

// barEnd returns the place where the text after the bar of a row starts.
func (p *picture) barEnd(row Row) float64 {
	from := p.place(row.Offset)
	return from + max(minBar, p.place(row.Offset+row.Duration)-from) + 4
}

// roomRight returns the space that durations and words need to the right of the axis.
func (p *picture) roomRight() float64 {
	room := 0.0
	for _, row := range p.Rows {
		if len(row.Words) > 0 {
			room = max(room, p.barEnd(row)+smallColumn*float64(format.Cells(format.Duration(row.Duration))+3+wordsWidth(row.Words))-p.axisAt-axisWidth)
		}
	}
	return min(wordRoom, max(durationRoom, room))
}

// row draws a span: the branch from its parent, its name, its bar, its duration and its words.
func (p *picture) row(i int, row Row) *element {
	top := p.top + float64(i*rowHeight)
	middle, base := top+rowHeight/2, top+rowHeight/2+textSize/3
	class := "span " + strings.ToLower(row.Kind)
	switch {
	case row.Wait:
		class = "wait"
	case row.Failed:
		class = "span failed"
	}
	group := el("g", "class", class)
	x := margin + indented(row)
	if row.Parent >= 0 && row.Depth <= maxIndents {
		from := p.top + float64(row.Parent*rowHeight) + rowHeight - 3
		group.add(el("path", "class", "branch", "d", "M"+number(x-indent+4)+" "+number(from)+"V"+number(middle)+"H"+number(x-2)))
	}
	from, end := p.place(row.Offset), p.barEnd(row)
	duration := format.Duration(row.Duration)
	group.add(
		p.text("name", x, base, pictureName(row)),
		el("rect", "class", "bar", "x", number(from), "y", number(middle-5), "width", number(end-4-from), "height", "10", "rx", "1.5"),
		p.text("quiet", end, base, duration),
	)
	for _, f := range p.folds {
		if !row.Wait && row.Offset <= f.from && row.Offset+row.Duration >= f.to {
			group.add(el("rect", "class", "fold", "x", number(p.place(f.from)), "y", number(middle-5), "width", number(p.place(f.to)-p.place(f.from)), "height", "10"))
		}
	}
	end += smallColumn * float64(format.Cells(duration)+2)
	right, left := int((p.width-margin-end)/smallColumn), int((from-p.axisAt)/smallColumn)-1
	pieces, hidden := fit(row.Words, right)
	if short := shortened(row.Words); len(hidden) > 0 && wordsWidth(short) <= left {
		pieces, _ = fit(short, left)
		end = from - smallColumn*float64(1+wordsWidth(short))
	}
	for _, piece := range pieces {
		class := "quiet"
		if piece.style == red {
			class = "quiet bad"
		}
		if text := strings.TrimLeft(piece.text, " "); text != "" {
			group.add(p.text(class, end+smallColumn*float64(len(piece.text)-len(text)), base, text))
		}
		end += smallColumn * float64(format.Cells(piece.text))
	}
	return group
}

// path draws the critical path as a line below the bars, from row to row.
func (p *picture) path() *element {
	var line strings.Builder
	rows := map[place]int{}
	for i, row := range p.Rows {
		if !row.Wait && !row.duplicate {
			rows[place{row.traceID, row.spanID}] = i
		}
	}
	for _, s := range p.why.steps {
		i, found := rows[s.place]
		if !found {
			continue
		}
		verb := "V"
		if line.Len() == 0 {
			verb = "M" + number(p.place(max(0, s.from))) + " "
		}
		line.WriteString(verb + number(p.top+float64(i+1)*rowHeight-3) + "H" + number(p.place(s.to)))
	}
	return el("path", "class", "critical", "d", line.String())
}

func (p *picture) text(class string, x, y float64, text string) *element {
	return textEl("text", text, "class", class, "x", number(x), "y", number(y))
}
