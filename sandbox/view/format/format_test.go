package format

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
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

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 spans", 1: "1 span", 2: "2 spans"} {
		if got := Count(n, "span"); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	tests := map[time.Duration]string{
		0: "0", 999: "999ns", 1500: "1µs", 12340 * time.Microsecond: "12.3ms", 100 * time.Millisecond: "100ms", 123 * time.Millisecond: "123ms", 1500 * time.Millisecond: "1.50s",
		70*time.Second + 400*time.Millisecond: "1m10s", -5 * time.Millisecond: "-5.0ms",
	}
	for in, want := range tests {
		if got := Duration(in); got != want {
			t.Errorf("Duration(%d) = %q, want %q", in, got, want)
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
		if got := strings.Join(Wrap(test.text, test.limit), "|"); got != test.want {
			t.Errorf("Wrap(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}

func TestWideRunes(t *testing.T) {
	for text, want := range map[string]int{"a": 1, "漢": 2, "Ａ": 2, "ｱ": 1, "e\u0301": 1} {
		if got := Cells(text); got != want {
			t.Errorf("Cells(%q) = %d, want %d", text, got, want)
		}
	}
}
