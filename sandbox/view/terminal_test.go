package view

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

const ms = time.Millisecond

func span(id, parent, name, kind string, start, duration time.Duration) spantree.Span {
	begin := time.Unix(1000, 0).Add(start)
	return spantree.Span{TraceID: "1", SpanID: id, ParentSpanID: parent, Name: name, Kind: kind, Start: begin, End: begin.Add(duration)}
}

// sampleTrace returns a trace with every type of row.
func sampleTrace() *Waterfall {
	failed := span("6", "1", "update_status Head", "CLIENT", 900*ms, 700*ms)
	failed.Status = spantree.Status{Code: spantree.StatusError, Message: "conflict\nretry"}
	failed.Attributes = map[string]any{"name": "web", "count": int64(3), "other": "hidden"}
	return New(spantree.Build([]spantree.Span{
		span("1", "", "admit Head", "SERVER", 0, 800*time.Microsecond),
		span("2", "1", "reconcile Head", "CONSUMER", 12*ms+340*time.Microsecond, 45*ms),
		span("3", "2", "create ChildA", "PRODUCER", 20*ms, 123*ms),
		span("4", "3", "reconcile \x1b[31mÄ", "CONSUMER", -5*ms, 200*time.Nanosecond),
		failed,
		span("7", "unknown", "lost", "", 1500*ms, 500*ms),
		span("8", "7", "backwards", "", 1600*ms, -100*ms),
	}), "name", "count", "none")
}

func written(t *testing.T, w *Waterfall, options TextOptions) string {
	t.Helper()
	var out bytes.Buffer
	if err := w.WriteText(&out, options); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWriteText(t *testing.T) {
	want := `SPAN                          KIND        START    TIME  0        500ms     1s        1.5s
admit Head                    SERVER     +5.0ms   800µs  ▏
├─ reconcile Head             CONSUMER  +17.3ms  45.0ms  ▉
│  └─ create ChildA           PRODUCER  +25.0ms   123ms  ██▌
│     └─ reconcile \x1b[31mÄ  CONSUMER       +0   200ns  ▏
└─ update_status Head web 3   CLIENT     +905ms   700ms                    ██████████████          error: conflict\nretry
lost                                     +1.50s   500ms                                ██████████  parent unknown is missing
└─ backwards                             +1.60s       0                                  ▏
`
	plain := written(t, sampleTrace(), TextOptions{})
	if diff := cmp.Diff(want, plain); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	colored := written(t, sampleTrace(), TextOptions{Color: true})
	for i, line := range strings.Split(strings.TrimSuffix(colored, "\n"), "\n") {
		if isRed, wantRed := strings.Contains(line, red), i == 5 || i == 6; isRed != wantRed {
			t.Errorf("line %q: red = %t, want %t", line, isRed, wantRed)
		}
	}
	for _, sequence := range []string{red, dim, reset, "\x1b[34m", "\x1b[35m", "\x1b[36m", "\x1b[33m"} {
		colored = strings.ReplaceAll(colored, sequence, "")
	}
	if diff := cmp.Diff(plain, colored); diff != "" {
		t.Errorf("text with colors (-plain +colored):\n%s", diff)
	}
}

// At every width, no line is wider than the terminal, notes are complete, and columns are dropped
// in order.
func TestWriteTextOnTerminals(t *testing.T) {
	w := sampleTrace()
	if got := written(t, w, TextOptions{Width: 100}); !strings.Contains(got, " ✗\n      error: conflict\\nretry\n") || !strings.Contains(got, " 500ms      parent unknown is missing ██████████▎\n") {
		t.Errorf("notes are not below their spans or in their lines:\n%s", got)
	}
	for width := 1; width <= 200; width++ {
		got := written(t, w, TextOptions{Width: width})
		for _, line := range strings.Split(got, "\n") {
			if columns := format.Cells(line); columns > max(width, minAxis+width/2) {
				t.Fatalf("width %d: line of %d columns: %q", width, columns, line)
			}
		}
		if squeezed := strings.NewReplacer("\n", "", " ", "", "…", "", "│", "").Replace(got); !strings.Contains(squeezed, `error:conflict\nretry`) {
			t.Fatalf("width %d: incomplete note:\n%s", width, got)
		}
	}
	columns := func(width int) string {
		header, _, _ := strings.Cut(written(t, w, TextOptions{Width: width}), "\n")
		return strings.Join(strings.Fields(header), " ")
	}
	for width, want := range map[int]string{
		100: "SPAN KIND START TIME 0 500ms 1s 1.5s", 90: "SPAN KIND START TIME 0 1s", 72: "SPAN START TIME 0 1s", 60: "SPAN TIME 0 1s", 40: "SPAN TIME", 12: "SPAN",
	} {
		if got := columns(width); got != want {
			t.Errorf("header at width %d = %q, want %q", width, got, want)
		}
	}
}

func TestWriteTextEdges(t *testing.T) {
	if got := written(t, New(nil), TextOptions{}); got != "" {
		t.Errorf("WriteText of no spans wrote %q, want nothing", got)
	}
	broken := errors.New("pipe")
	one := New(spantree.Build([]spantree.Span{span("1", "", "a", "", 0, 0)}))
	if err := one.WriteText(failingWriter{broken}, TextOptions{}); !errors.Is(err, broken) {
		t.Errorf("error = %v, want %v", err, broken)
	}
	if err := one.WriteSVG(failingWriter{broken}, SVGOptions{}); !errors.Is(err, broken) {
		t.Errorf("error = %v, want %v", err, broken)
	}
	var chain []spantree.Span
	for i := range 20_000 {
		chain = append(chain, span(fmt.Sprint(i+1), fmt.Sprint(i), "step", "", 0, 0))
	}
	long := New(spantree.Build(chain))
	for _, width := range []int{0, 80} {
		if got := written(t, long, TextOptions{Width: width}); strings.Count(got, "\n") != 20_001 {
			t.Errorf("width %d: a chain of 20000 spans has %d lines, want 20001", width, strings.Count(got, "\n"))
		}
	}
	wide := New(spantree.Build([]spantree.Span{span("1", "", strings.Repeat("漢字", 30), "", 0, ms), span("2", "1", "e\u0301", "", 0, ms)}))
	for _, line := range strings.Split(written(t, wide, TextOptions{Width: 80}), "\n") {
		if format.Cells(line) > 80 {
			t.Errorf("width 80: line of %d columns: %q", format.Cells(line), line)
		}
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
