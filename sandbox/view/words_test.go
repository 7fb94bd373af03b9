package view

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/view/fact"
)

// about returns a span with attributes, which are alternating keys and values. Keys without a dot
// and causes are of a reconcile.
func about(s spantree.Span, attributes ...any) spantree.Span {
	s.Attributes = map[string]any{}
	for i := 0; i+1 < len(attributes); i += 2 {
		key := attributes[i].(string)
		if !strings.Contains(key, ".") || strings.HasPrefix(key, "cause.") {
			key = "reconcile." + key
		}
		if !strings.HasPrefix(key, "error.") {
			key = "operator." + key
		}
		s.Attributes[key] = attributes[i+1]
	}
	return s
}

func textsOf(words []fact.Word) string {
	var texts []string
	for _, word := range words {
		mark := word.Mark
		if word.Bad {
			mark += "!"
		}
		texts = append(texts, mark+" "+word.Text)
	}
	return strings.Join(texts, "; ")
}

// waitingTrace returns a trace with a long scheduled requeue, a short back-off, and a queue.
func waitingTrace() *Waterfall {
	spans := []spantree.Span{
		about(span("1", "", "create Head", "PRODUCER", 0, 10*ms), "object.kind", "Head"),
		about(span("2", "1", "reconcile Head", "CONSUMER", 30*ms, 40*ms), "queue_wait", 0.015, "result", "requeue_after", "requeue_after", 0.9),
		about(span("3", "1", "reconcile Head", "CONSUMER", 990*ms, 50*ms), "delay", 0.9, "queue_wait", 0.02, "requeue_reason", "requeue_after", "trigger", "requeue"),
		about(span("4", "1", "reconcile Head", "CONSUMER", 1050*ms, 10*ms), "delay", 0.005, "requeue_reason", "error", "trigger", "requeue"),
		about(span("5", "4", "update_status Head", "CLIENT", 1052*ms, 5*ms), "write.unchanged", true, "object.kind", "Head"),
		span("6", "1", "converge Head", "INTERNAL", 0, 1060*ms),
	}
	failed := &spans[2]
	failed.Status = spantree.Status{Code: spantree.StatusError, Message: "no route to host"}
	return New(spantree.Build(spans))
}

// Long waits are rows before the span that waited, short ones are words. The idle part of a
// requeue is folded, and the axis has its length.
func TestWaitsAndFolds(t *testing.T) {
	t.Parallel()
	want := `SPAN                          KIND        START    TIME  0    20ms 40ms    ⋯920ms⋯    1.02s
create Head                   PRODUCER       +0  10.0ms  ██▋
├─ converge Head              INTERNAL       +0   1.06s  ███████████████████┄┄███████████████████
├─ reconcile Head             CONSUMER  +30.0ms  40.0ms          ██████████▊                       requeue after 900ms, queue 15.0ms
├─ … scheduled requeue 900ms            +70.0ms   900ms                    ┄┄
├─ reconcile Head             CONSUMER   +990ms  50.0ms                       █████████████▍       error: no route to host, queue 20.0ms
└─ reconcile Head             CONSUMER   +1.05s  10.0ms                                       ██▋  back-off 5.0ms
   └─ update_status Head      CLIENT     +1.05s   5.0ms                                       █▍   unchanged
`
	got := written(t, waitingTrace(), TextOptions{})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

// In a terminal, words stand beside the bar, without details if there is little room, and else are
// marks.
func TestWordsOnTerminals(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]string{
		140: "requeue after 900ms, queue 15.0ms\n",
		110: "requeue after 900ms …\n",
		109: " unchanged █▋\n",
		64:  "███████▊ ✗…\n│     error: no route to host\n",
		40:  "40.0ms  ↻…\n",
	} {
		if got := written(t, waitingTrace(), TextOptions{Width: width}); !strings.Contains(got, want) {
			t.Errorf("width %d: no %q in\n%s", width, want, got)
		}
	}
	words := []fact.Word{{Text: "Ready: False→True (Available)", Short: "Ready: False→True", Mark: fact.MarkState}, {Text: "unchanged", Mark: fact.MarkSame}}
	for columns, want := range map[int]string{
		40: "Ready: False→True (Available), unchanged", 39: "Ready: False→True, unchanged", 27: "Ready: False→True =", 18: "●=", 1: "●", 0: "", -3: "",
	} {
		text := ""
		pieces, _ := fit(words, columns)
		for _, p := range pieces {
			text += p.text
		}
		if text != want {
			t.Errorf("fit(%d) = %q, want %q", columns, text, want)
		}
	}
}

// A wait from before the trace is cut at its start.
func TestWaitBeforeTheTrace(t *testing.T) {
	t.Parallel()
	w := New(spantree.Build([]spantree.Span{about(span("1", "", "reconcile Head", "CONSUMER", 0, ms), "delay", 60.0, "requeue_reason", "error")}))
	if len(w.Rows) != 1 || textsOf(w.Rows[0].Words) != "… back-off 1m0s" {
		t.Errorf("rows = %+v, want one with the wait as a word", w.Rows)
	}
}

// For any spans, the axis goes from 0 to 1 without a step back, and no span runs in a folded gap.
func TestScaleOfAnyTrace(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		var spans []spantree.Span
		for i := range 1 + r.IntN(20) {
			spans = append(spans, span(fmt.Sprint(i+1), "", "step", "", time.Duration(r.Int64N(1<<(1+r.IntN(45)))), time.Duration(r.Int64N(1<<(1+r.IntN(35))))))
		}
		w := New(spantree.Build(spans))
		if w.at(0) != 0 || math.Abs(w.at(w.Total)-1) > 1e-9 {
			t.Fatalf("seed %d: the axis goes from %g to %g, want 0 to 1", seed, w.at(0), w.at(w.Total))
		}
		for i, from := 0, -1.0; i <= 1000; i++ {
			at := w.at(time.Duration(float64(w.Total) * float64(i) / 1000))
			if at < from {
				t.Fatalf("seed %d: place %d is %g, want at least %g", seed, i, at, from)
			}
			from = at
		}
		for _, f := range w.folds {
			for _, row := range w.Rows {
				if row.Offset < f.to && row.Offset+row.Duration > f.from {
					t.Errorf("seed %d: the fold %v hides a part of %s", seed, f, row.Name)
				}
			}
		}
		if got, most := len(w.Ticks(4)), 5+3*len(w.folds); got > most {
			t.Errorf("seed %d: %d ticks with %d folds, want at most %d", seed, got, len(w.folds), most)
		}
	}
}
