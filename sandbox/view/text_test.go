package view

import (
	"strings"
	"testing"
	"time"

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
