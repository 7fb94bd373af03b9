package view

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

func TestEscape(t *testing.T) {
	tests := map[string]string{
		"plain":      "plain",
		"a\tb\r\n":   `a\tb\r\n`,
		"\x1b]0;t":   `\x1b]0;t`,
		"\u009b31m":  `\u009b31m`,
		"bad\xff":    `bad\xff`,
		"real\ufffd": "real\ufffd",
		"rtl\u202e":  `rtl\u202e`,
		"ünï":        "ünï",
		"<b>&'\"$(`": "<b>&'\"$(`",
	}
	for in, want := range tests {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzEscapeText checks that a text for a terminal has only printable characters, line feeds and
// tabs, and that a second call changes nothing. A JSON text keeps its value.
func FuzzEscapeText(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := EscapeText("a" + text + "\n\tb")
		if !harmless(got) || EscapeText(got) != got || !strings.HasSuffix(got, "\n\tb") {
			t.Errorf("EscapeText(%q) = %q, want only printable characters", text, got)
		}
		data, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var want, value string
		if err := errors.Join(json.Unmarshal(data, &want), json.Unmarshal(EscapeJSON(data), &value)); err != nil || value != want || !harmless(string(EscapeJSON(data))) {
			t.Errorf("EscapeJSON(%q) = %q, %v; want the value %q", data, EscapeJSON(data), err, want)
		}
		if raw := EscapeJSON([]byte(`{"` + "\n" + text)); !harmless(strings.ReplaceAll(string(raw), "\r", "")) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			t.Errorf("EscapeJSON of raw %q = %q, want only printable characters", text, raw)
		}
	})
}

// hostile has characters that a terminal interprets, or that change the direction of a text.
var hostile = []string{
	"", "\x1b[2J", "\x1b]0;title\a", "\x1b]52;c;eA==\x1b\\", "\x1bP0;1|17/ab\x1b\\", "\x9b31m", "\u009b31m", "\u0090q\u009c", "\r", "\b\b", "\v\f", "\x00", "\x0e", "\x7f", "\u0085",
	"\u200e", "\u200f", "\u061c", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069", "\u2028", "\u2029", "\ufeff", "\U000e0041",
	"\xff", "\xc3", "\xe2\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "ünï\ufffd",
}

func harmless(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) && r != '\n' && r != '\t' })
}

// Pictures and pages of hostile names are valid UTF-8 without control characters.
func TestDocumentsOfHostileNames(t *testing.T) {
	for _, name := range hostile {
		s := span("1", "", name, name, 0, ms)
		s.Service, s.Attributes = name, map[string]any{"k": name}
		w := New(spantree.Build([]spantree.Span{s}), "k")
		var page, picture strings.Builder
		if err := errors.Join(w.WriteHTML(&page, name, []byte(`{"a":"`+"\u202e\u009b\x7f\xff"+`"}`)), w.WriteSVG(&picture, name)); err != nil {
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

func TestFormatDuration(t *testing.T) {
	tests := map[time.Duration]string{
		0: "0ns", 999: "999ns", 1500: "1µs", 12340 * time.Microsecond: "12.3ms", 100 * ms: "100ms", 123 * ms: "123ms", 1500 * ms: "1.50s",
		70*time.Second + 400*ms: "1m10s", -5 * ms: "-5.0ms",
	}
	for in, want := range tests {
		if got := FormatDuration(in); got != want {
			t.Errorf("FormatDuration(%d) = %q, want %q", in, got, want)
		}
	}
}

func TestTicks(t *testing.T) {
	for total, want := range map[time.Duration]string{
		1: "0 1ns", 7 * ms: "0 2ms 4ms 6ms", 257 * ms: "0 100ms 200ms", 2 * time.Second: "0 500ms 1s 1.5s 2s",
		59 * time.Second: "0 15s 30s 45s", 3 * time.Minute: "0 1m 2m 3m", 5 * time.Hour: "0 2h 4h", 100 * time.Hour: "0 48h 96h",
		10 * 24 * time.Hour: "0 72h 144h 216h",
	} {
		var got []string
		for _, tick := range (&Waterfall{Total: total}).Ticks(4) {
			got = append(got, formatTick(tick))
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

func TestWrap(t *testing.T) {
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 5, ""}, {"short", 5, "short"}, {"two words", 5, "two|words"}, {"unbroken", 3, "unb|rok|en"}, {"漢字漢", 4, "漢字|漢"}, {"a  b", 2, "a|b"},
	} {
		if got := strings.Join(wrap(test.text, test.limit), "|"); got != test.want {
			t.Errorf("wrap(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}
