package view

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

func TestTicks(t *testing.T) {
	for total, want := range map[time.Duration]string{
		1: "0", 7 * ms: "0 2ms 4ms 6ms", 257 * ms: "0 100ms 200ms", 2 * time.Second: "0 500ms 1s 1.5s 2s",
		59 * time.Second: "0 15s 30s 45s", 3 * time.Minute: "0 1m 2m 3m", 5 * time.Hour: "0 2h 4h", 100 * time.Hour: "0 48h 96h",
		10 * 24 * time.Hour: "0 72h 144h 216h",
	} {
		var got []string
		for _, tick := range (&Waterfall{Total: total}).Ticks(4) {
			got = append(got, format.Tick(tick))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("Ticks(4) of %s = %q, want %q", total, got, want)
		}
	}
	for total := time.Duration(1); total > 0; total = total*3 + 1 {
		for _, steps := range []int{0, 1, 4, 12} {
			if got := len((&Waterfall{Total: total}).Ticks(steps)); got < 1 || got > max(1, steps)+1 {
				t.Errorf("Ticks(%d) of %s returned %d ticks, want 1 to %d", steps, total, got, max(1, steps)+1)
			}
		}
		if total > 1<<61 {
			break
		}
	}
}

func harmless(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) && r != '\n' && r != '\t' })
}

// Pictures and pages of hostile names are valid UTF-8 without control characters.
func TestDocumentsOfHostileNames(t *testing.T) {
	for _, name := range []string{"", "\x1b[2J", "\u009b31m", "\r", "\u202e", "\u2028", "\xff", "ünï\ufffd"} {
		s := span("1", "", name, name, 0, ms)
		s.Service, s.Attributes = name, map[string]any{"k": name}
		w := New(spantree.Build([]spantree.Span{s}), "k")
		var page, picture strings.Builder
		if err := errors.Join(w.WriteHTML(&page, name, []byte(`{"a":"`+"\u202e\u009b\x7f\xff"+`"}`)), w.WriteSVG(&picture, SVGOptions{Title: name})); err != nil {
			t.Fatal(err)
		}
		if !harmless(page.String()) || !harmless(picture.String()) {
			t.Errorf("the page or the picture of a span named %q has control characters or invalid UTF-8", name)
		}
	}
}

// Every row has a non-empty name.
func TestNameOfASpanWithoutOne(t *testing.T) {
	for _, name := range []string{"", "  "} {
		w := New(spantree.Build([]spantree.Span{span("1", "", name, "", 0, ms)}))
		if got := w.Rows[0].Name; got != "(no name)" {
			t.Errorf("name of a span named %q = %q, want (no name)", name, got)
		}
	}
}

// A trace whose spans have the same instant, as in a reconstruction to the second, has no length.
func TestSameInstant(t *testing.T) {
	t.Parallel()
	w := New(spantree.Build([]spantree.Span{span("1", "", "create Pod", "op", 0, 0), span("2", "1", "bind Pod", "op", 0, 0)}))
	var all strings.Builder
	if err := errors.Join(w.WriteText(&all, TextOptions{Width: 120}), w.WriteSVG(&all, SVGOptions{Title: "a"})); err != nil {
		t.Fatal(err)
	}
	if got := all.String(); strings.Contains(got, "1ns") || !strings.Contains(got, ">2 spans<") {
		t.Errorf("the drawing of spans with the same instant has a length:\n%s", got)
	}
}
