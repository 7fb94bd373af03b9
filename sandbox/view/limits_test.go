package view

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// chain returns a trace in which each span is the parent of the next.
func chain(length int) *Waterfall {
	var spans []spantree.Span
	for i := range length {
		parent := ""
		if i > 0 {
			parent = fmt.Sprint(i)
		}
		spans = append(spans, span(fmt.Sprint(i+1), parent, fmt.Sprint("step ", i+1), "CLIENT", time.Duration(i), time.Duration(length-i)))
	}
	return New(spantree.Build(spans))
}

// Below the maximum depth, rows and the text under them are no longer indented further.
func TestRowsOfALongChain(t *testing.T) {
	rows := chain(maxDepth + 3).Rows
	for depth, want := range map[int]string{maxDepth - 1: "│  ", maxDepth: "   ", maxDepth + 1: "   "} {
		if got := rows[depth].Below; !strings.HasSuffix(got, want) {
			t.Errorf("Below at depth %d = %q, want suffix %q", depth, got, want)
		}
	}
	if got := len([]rune(rows[maxDepth+2].Guides)); got != 3*maxDepth {
		t.Errorf("indentation of the deepest row = %d columns, want %d", got, 3*maxDepth)
	}
}

// Even in a narrow terminal, the branch from its parent precedes each name.
func TestDeepRowsKeepTheirBranch(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(written(t, chain(30), TextOptions{Width: 60})), "\n")
	for i, line := range lines[2:] {
		if !strings.Contains(line, "└─ step") {
			t.Errorf("row %d = %q, want a branch before the name", i+2, line)
		}
	}
}

func TestBarsStayOnTheAxis(t *testing.T) {
	w := &Waterfall{Total: 100 * ms}
	for _, test := range []struct {
		row    Row
		before int
		bar    string
	}{
		{Row{}, 0, "▏"},
		{Row{Offset: 100 * ms}, 9, "▏"},
		{Row{Duration: 100 * ms}, 0, "██████████"},
		{Row{Offset: 95 * ms, Duration: 5 * ms}, 9, "▌"},
	} {
		if before, bar := w.bar(test.row, 10); before != test.before || bar != test.bar {
			t.Errorf("bar(%+v) = %d, %q; want %d, %q", test.row, before, bar, test.before, test.bar)
		}
	}
	longest := 0
	for line := range strings.Lines(written(t, chain(3), TextOptions{Width: 400})) {
		longest = max(longest, strings.Count(line, "█"))
	}
	if longest != maxAxis {
		t.Errorf("longest bar = %d columns, want %d", longest, maxAxis)
	}
}

// There is always a space between times on the axis.
func TestTimesOnTheAxisDoNotTouch(t *testing.T) {
	w := &Waterfall{Total: 2_000_000 * time.Hour}
	for columns := minAxis; columns <= maxAxis; columns++ {
		line := w.axis(columns)
		if !regexp.MustCompile(`^0( +\d+h)*$`).MatchString(line) || format.Cells(line) > columns {
			t.Errorf("axis(%d) = %q, want separate times in %d columns", columns, line, columns)
		}
	}
}

// A picture has visible bars, truncated names, limited indentation and a limited description.
func TestLimitsOfAPicture(t *testing.T) {
	svg := drawn(t, chain(maxDescribed+5))
	texts, _ := elements(t, svg)
	if description := strings.Join(texts["desc"], ""); !strings.HasSuffix(description, " And 5 more.") || strings.Contains(description, fmt.Sprintf("step %d ", maxDescribed+1)) {
		t.Errorf("description ends with %q, want only the first %d spans", description[max(0, len(description)-200):], maxDescribed)
	}
	if got := strings.Count(svg, `class="branch"`); got != maxIndents {
		t.Errorf("got %d branches, want %d", got, maxIndents)
	}
	long := strings.Repeat("n", maxName+1)
	svg = drawn(t, New(spantree.Build([]spantree.Span{
		span("1", "", "whole", "", 0, time.Second), span("2", "1", "short", "", 0, 1), span("3", "1", long, "", 0, 1),
	})))
	texts, _ = elements(t, svg)
	if all := strings.Join(texts["text"], "\n"); strings.Contains(all, long) || !strings.Contains(all, long[:maxName-1]+"…") {
		t.Errorf("texts do not contain the truncated name:\n%s", all)
	}
	for _, width := range regexp.MustCompile(`class="bar"[^>]* width="([0-9.]+)"`).FindAllStringSubmatch(svg, -1) {
		if wide, err := strconv.ParseFloat(width[1], 64); err != nil || wide < minBar {
			t.Errorf("width of a bar = %s (%v), want at least %d", width[1], err, minBar)
		}
	}
}

// Browsers without scripts show the tree as text.
func TestPageHasTheTreeAsText(t *testing.T) {
	var out bytes.Buffer
	w := sampleTrace()
	if err := w.WriteHTML(&out, "", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	_, page, _ := strings.Cut(out.String(), "<noscript>")
	if page, _, _ = strings.Cut(page, "</noscript>"); !strings.Contains(page, "├─ reconcile Head") || !strings.Contains(page, "parent unknown is missing") {
		t.Errorf("noscript text = %q, want the tree", page)
	}
}
