package spantree_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

var update = flag.Bool("update", false, "write the files of testdata")

// explainCase is a failed match and the options of its explanation.
type explainCase struct {
	want    string
	spans   []spantree.Span
	options spantree.ExplainOptions
}

const headTree = `admit Head [SERVER service=demo]
  reconcile Head
    create ChildA [PRODUCER name=x]
      reconcile ChildA
        create Deployment
  converge Head
`

func headSpans() []spantree.Span {
	return []spantree.Span{
		{SpanID: "1", Name: "admit Head", Kind: "SERVER", Service: "demo"},
		{SpanID: "2", ParentSpanID: "1", Name: "reconcile Head", Service: "demo"},
		{SpanID: "3", ParentSpanID: "2", Name: "create ChildA", Kind: "CLIENT", Service: "demo",
			Status: spantree.Status{Code: "Error", Message: "no luck"}},
		{SpanID: "4", ParentSpanID: "gone", Name: "reconcile ChildA", Service: "demo"},
		{SpanID: "5", ParentSpanID: "4", Name: "create Deployment", Service: "demo"},
		{SpanID: "6", ParentSpanID: "1", Name: "delete ChildA", Service: "demo"},
	}
}

// detailed returns a span with all properties that conditions support.
func detailed() []spantree.Span {
	s := span("1", "", "update", 0)
	s.Attributes = map[string]any{"name": "a", "uid": "u"}
	s.Links = []spantree.Link{{TraceID: "ab", SpanID: "cd"}}
	s.Events = []spantree.Event{{Name: "Ready: False→True", Attributes: map[string]any{"reason": "x"}}, {Name: "exception"}}
	return []spantree.Span{s}
}

// flat returns a root with many children that have one child each.
func flat(n int, name func(i int) string) []spantree.Span {
	spans := []spantree.Span{span("r", "", "root", 0)}
	for i := range n {
		spans = append(spans, span(fmt.Sprint("s", i), "r", name(i), i), span(fmt.Sprint("t", i), fmt.Sprint("s", i), "leaf", i))
	}
	return spans
}

func explainCases() map[string]explainCase {
	return map[string]explainCase{
		"mixed":     {want: headTree, spans: headSpans()},
		"color":     {want: headTree, spans: headSpans(), options: spantree.ExplainOptions{Color: true}},
		"narrow":    {want: headTree, spans: headSpans(), options: spantree.ExplainOptions{Width: 60}},
		"no_spans":  {want: headTree},
		"few_rows":  {want: headTree, spans: headSpans(), options: spantree.ExplainOptions{Rows: 6}},
		"lost_span": {want: "a\n  b\n    c\n      d", spans: []spantree.Span{span("1", "", "a", 0), span("3", "2", "c", 2), span("4", "3", "d", 3)}},
		"renamed": {want: "a\n  create ChildA\n    x\n  other", spans: []spantree.Span{
			span("1", "", "a", 0), span("2", "1", "create childA", 1), span("3", "2", "x", 2), span("4", "1", "other", 3)}},
		"conditions": {want: `update [name=b uid !k duration<1ms !link !event=exception event=~Ready.*(reason=y)]`, spans: detailed()},
		"repeated": {want: "root\n  + s\n    leaf", spans: append(flat(3, func(int) string { return "s" }),
			span("x", "s1", "more", 8), span("y", "r", "s", 9))},
		"closest": {want: "root\n  s [k=1 m=1]\n  s [k=2 m=2]", spans: func() []spantree.Span {
			one, two := span("one", "r", "s", 1), span("two", "r", "s", 2)
			one.Attributes, two.Attributes = map[string]any{"k": 2, "m": 3}, map[string]any{"k": 1, "m": 1, "n": 1}
			two.Status.Code = spantree.StatusError
			return []spantree.Span{span("r", "", "root", 0), one, two}
		}()},
		"budget": {want: "(budget spans<=2 errors=0)\nroot\n  * a\n", spans: []spantree.Span{
			span("r", "", "root", 0), span("1", "r", "a", 1), span("2", "r", "a", 2)}},
		"bounds": {want: "root\n  {2,3} a\n  {0,1} b\n", spans: []spantree.Span{
			span("r", "", "root", 0), span("1", "r", "a", 1), span("2", "r", "b", 2), span("3", "r", "b", 3)}},
		"others": {want: "root\n  a\n    b\n  ...", spans: []spantree.Span{
			span("r", "", "root", 0), span("1", "r", "a", 1), span("2", "r", "x", 2), span("3", "2", "y", 3), span("4", "3", "b", 4), span("5", "r", "z", 5)}},
		"defects": {want: "root\n  a", spans: []spantree.Span{
			span("r", "", "root", 0), span("1", "r", "a", 1), span("1", "r", "a", 2), span("2", "3", "b", 3), span("3", "2", "c", 4), span("5", "6", "d", 5)}},
		"huge_one_missing": {want: "root\n  + s\n    leaf\n  last", spans: flat(1500, func(int) string { return "s" })},
		"huge_all_extra":   {want: "root\n  ? s", spans: flat(1500, func(i int) string { return fmt.Sprint("n", i) })},
	}
}

func TestExplain(t *testing.T) {
	for name, test := range explainCases() {
		t.Run(name, func(t *testing.T) {
			got := spantree.Match(parse(t, test.want), spantree.Build(test.spans)).ExplainWith(test.options)
			file := filepath.Join("testdata", "explain", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := diff(string(want), got); diff != "" {
				t.Errorf("explanation (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExplainWidth tests that no row is wider than requested, and that colours do not change the
// text.
func TestExplainWidth(t *testing.T) {
	for name, test := range explainCases() {
		for _, width := range []int{1, 40, 77, 120} {
			result := spantree.Match(parse(t, test.want), spantree.Build(test.spans))
			plain := result.ExplainWith(spantree.ExplainOptions{Width: width})
			_, trees, _ := strings.Cut(plain, "\n\n")
			for row := range strings.Lines(trees) {
				if n := len([]rune(strings.TrimRight(row, "\n"))); n > max(width, 40) {
					t.Errorf("%s at %d: a row of %d characters: %s", name, width, n, row)
				}
			}
			colored := result.ExplainWith(spantree.ExplainOptions{Width: width, Color: true})
			for _, code := range []string{"\x1b[0m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[35m"} {
				colored = strings.ReplaceAll(colored, code, "")
			}
			if squeeze(colored) != squeeze(plain) || !strings.Contains(result.ExplainWith(spantree.ExplainOptions{Color: true}), "\x1b[") {
				t.Errorf("%s at %d: colours change the text:\n%s\nplain:\n%s", name, width, colored, plain)
			}
		}
	}
}

// squeeze removes spaces at the ends of lines. They can precede the end of a colour.
func squeeze(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

// TestExplainIsBounded tests that the explanation of a huge forest of unexpected spans is short.
func TestExplainIsBounded(t *testing.T) {
	spans := flat(50_000, func(i int) string { return fmt.Sprint("n", i%7) })
	want := parse(t, "root\n"+strings.Repeat("  n1 [k=v]\n    leaf [k=v]\n", 1000))
	text := spantree.Match(want, spantree.Build(spans)).Explain()
	if lines := strings.Count(text, "\n"); lines > 600 || !strings.Contains(text, " more rows\n") || !strings.Contains(text, "  … and ") {
		t.Errorf("%d lines:\n%.3000s", lines, text)
	}
}
