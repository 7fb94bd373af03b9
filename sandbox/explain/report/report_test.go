package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/explain/report"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// full returns an explanation with something in each part, more of it than a report has room for.
func full(name string) explain.Explanation {
	object := explain.Object{Kind: name, Namespace: name, Name: name}
	span := explain.Span{Name: name, Actor: name, Object: object}
	e := explain.Explanation{
		Object: object, Condition: name, Total: 40 * time.Second, Unknown: time.Second, Resolution: name, Missing: 3, Skew: time.Second,
		Counts: spantree.Counts{}, Requeues: map[string]int{name: 1, "error": 2},
	}
	for _, c := range spantree.AllCounts() {
		e.Counts[c] = 3
	}
	for i := range 40 {
		e.Path = append(e.Path, explain.Segment{Offset: time.Duration(i) * time.Second, Duration: time.Second, Actor: name, Reason: explain.ReasonWaiting, Object: explain.Object{Name: strings.Repeat("x", i)}, Detail: name})
		span.Name += "x"
		e.Chain = append(e.Chain, explain.Step{Span: span, End: time.Duration(i) * time.Second})
		e.Inputs = append(e.Inputs, explain.Input{Object: object, Slack: time.Second})
		e.OffPath = append(e.OffPath, explain.Branch{Span: span, Duration: time.Second})
	}
	return e
}

// A report has few lines of printable text, and each fits the terminal.
func TestBounds(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "\x1b[2J", "\u202eabc", "a\r\nb", strings.Repeat("long ", 300), ""} {
		for _, width := range []int{0, 1, 20, 80, 200} {
			for limit, lines := range map[int][]string{
				report.MaxLines: report.Lines(full(name), width), report.MaxSummary: report.Summary(full(name), width),
			} {
				if len(lines) > limit {
					t.Errorf("%d lines for %q in %d columns, want at most %d", len(lines), name, width, limit)
				}
				for _, line := range lines {
					if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
						t.Errorf("line %q for the name %q, want escapes", line, name)
					}
					if width > 0 && len([]rune(line)) > width {
						t.Errorf("line %q has %d columns, want at most %d", line, len([]rune(line)), width)
					}
				}
			}
		}
	}
}

// The smallest explanation has one span, which can have no name, and no time.
func TestEmpty(t *testing.T) {
	t.Parallel()
	for name, shown := range map[string]string{"a": "a", "": "(no name)"} {
		e := explain.Explanation{Chain: []explain.Step{{Span: explain.Span{Name: name}}}, Counts: spantree.Counts{spantree.CountSpans: 1}}
		if got, want := strings.Join(report.Lines(e, 0), "\n"), "no time until the end of "+shown+"\nchain       "+shown+" +0"; got != want {
			t.Errorf("Lines(%q) = %q, want %q", name, got, want)
		}
		if got, want := strings.Join(report.Summary(e, 0), "\n"), "no time until the end of "+shown+"\n1 span"; got != want {
			t.Errorf("Summary(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestRecorded prints the recorded traces as the tests of explain expect, so that mutants of this package
// meet the same texts.
func TestRecorded(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/recorded/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d recorded traces, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		traces, err := tracetree.ReadOTLP(file, data)
		if err != nil {
			t.Fatal(err)
		}
		e, err := explain.Of(tracetree.Join(traces)[0].Forest(), explain.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, "json") + "txt")
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(append(report.Lines(e, 0), report.Summary(e, 0)...), "\n") + "\n"
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}
