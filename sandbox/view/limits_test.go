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
)

// chain is a trace in which each span is the parent of the next.
func chain(length int) *Waterfall {
	var spans []spantree.Span
	for i := range length {
		parent := ""
		if i > 0 {
			parent = fmt.Sprint(i)
		}
		spans = append(spans, span(fmt.Sprint(i+1), parent, fmt.Sprint("step ", i+1), "CLIENT", time.Duration(i), time.Duration(length-i)))
	}
	return New(spantree.Build(spans), Options{})
}

// Below the deepest indentation the rows stand under each other, and what is below one of them goes on as they do.
func TestRowsOfALongChain(t *testing.T) {
	rows := chain(maxDepth + 3).Rows
	for depth, want := range map[int]string{maxDepth - 1: "│  ", maxDepth: "   ", maxDepth + 1: "   "} {
		if got := rows[depth].Below; !strings.HasSuffix(got, want) {
			t.Errorf("below depth %d stands %q, want %q at its end", depth, got, want)
		}
	}
	if got := len([]rune(rows[maxDepth+2].Guides)); got != 3*maxDepth {
		t.Errorf("the deepest row is indented by %d columns, want %d", got, 3*maxDepth)
	}
}

// However narrow the terminal, a name has the line from its parent before it.
func TestDeepRowsKeepTheirBranch(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(written(t, chain(30), TextOptions{Width: 60})), "\n")
	for i, line := range lines[2:] {
		if !strings.Contains(line, "└─ step") {
			t.Errorf("row %d is %q", i+2, line)
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
			t.Errorf("%+v: %d columns and %q, want %d and %q", test.row, before, bar, test.before, test.bar)
		}
	}
	longest := 0
	for line := range strings.Lines(written(t, chain(3), TextOptions{Width: 400})) {
		longest = max(longest, strings.Count(line, "█"))
	}
	if longest != maxAxis {
		t.Errorf("the longest bar has %d columns, want %d", longest, maxAxis)
	}
}

// Times on the axis never touch each other.
func TestTimesOnTheAxisStandApart(t *testing.T) {
	w := &Waterfall{Total: 2_000_000 * time.Hour}
	for columns := minAxis; columns <= maxAxis; columns++ {
		line := w.axis(columns)
		if !regexp.MustCompile(`^0( +\d+h)*$`).MatchString(line) || cells(line) > columns {
			t.Errorf("%d columns: %q", columns, line)
		}
	}
}

func TestWideRunes(t *testing.T) {
	for text, want := range map[string]int{"a": 1, "漢": 2, "Ａ": 2, "ｱ": 1, "e\u0301": 1} {
		if got := cells(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
}

// A picture has its limits: bars that can be seen, names that are cut, branches as deep as rows are drawn, and a description
// that ends.
func TestLimitsOfAPicture(t *testing.T) {
	svg := drawn(t, chain(maxTold+5))
	texts, _ := elements(t, svg)
	if description := strings.Join(texts["desc"], ""); !strings.HasSuffix(description, " And 5 more.") || strings.Contains(description, fmt.Sprintf("step %d ", maxTold+1)) {
		t.Errorf("the description ends with %q", description[max(0, len(description)-200):])
	}
	if got := strings.Count(svg, `class="branch"`); got != maxIndents {
		t.Errorf("%d branches, want %d", got, maxIndents)
	}
	long := strings.Repeat("n", maxName+1)
	svg = drawn(t, New(spantree.Build([]spantree.Span{
		span("1", "", "whole", "", 0, time.Second), span("2", "1", "short", "", 0, 1), span("3", "1", long, "", 0, 1),
	}), Options{}))
	texts, _ = elements(t, svg)
	if all := strings.Join(texts["text"], "\n"); strings.Contains(all, long) || !strings.Contains(all, long[:maxName-1]+"…") {
		t.Errorf("the texts are\n%s", all)
	}
	for _, width := range regexp.MustCompile(`class="bar"[^>]* width="([0-9.]+)"`).FindAllStringSubmatch(svg, -1) {
		if wide, err := strconv.ParseFloat(width[1], 64); err != nil || wide < minBar {
			t.Errorf("a bar is %s wide, %v", width[1], err)
		}
	}
}

// Who runs no scripts reads the tree.
func TestPageHasTheTreeAsText(t *testing.T) {
	var out bytes.Buffer
	w := sampleTrace()
	if err := w.WriteHTML(&out, HTMLOptions{OTLP: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	_, page, _ := strings.Cut(out.String(), "<noscript>")
	if page, _, _ = strings.Cut(page, "</noscript>"); !strings.Contains(page, "├─ reconcile Head") || !strings.Contains(page, "parent unknown is missing") {
		t.Errorf("without scripts the page says %q", page)
	}
}
