package spantree_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// FuzzPrintParse tests that printing a parsed text and parsing it again changes nothing.
func FuzzPrintParse(f *testing.F) {
	for _, seed := range []string{
		"a", "a [SERVER service=x]\n  ? b [k=~v !w]\n  ...\n* c", `"..." ["service"="a b"]`, "+ a b  c [x=\"\\n\"] # end",
		"... [", "a [x=]]", "é \"x\" [k=\xff]", "a\n...", "a [#=#] #", "a[b] [c]",
		"(budget service=x writes<=6 duration<1.5s)\n{0,3} a [duration<1.5s link event=\"a b\"(k=~v !w) !event=c]\n  {2} b [!link !event]\n  {2,} c",
		"a [event=x(\"y\"=\")\")]", "a [\"@k\"=\"=x\" \"a<b\"]", "\"(budget x)\"\n\"...\"\n\"{1}\"", "a\r\n\tb", "a [event=\"\"() k=()]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tree, err := spantree.Parse("fuzz", text)
		if err != nil {
			return
		}
		printed := tree.String()
		again, err := spantree.Parse("printed", printed)
		if err != nil {
			t.Fatalf("parsing what was printed: %v\ntext: %q\nprinted: %q", err, text, printed)
		}
		clearLines(tree)
		clearLines(again)
		if diff := diff(tree, again); diff != "" {
			t.Fatalf("another tree (-first +second):\n%s\ntext: %q\nprinted: %q", diff, text, printed)
		}
		if second := again.String(); second != printed {
			t.Fatalf("printed %q, then %q", printed, second)
		}
	})
}

// FuzzMatch compares spans with any ids with any tree: no panic, no hang, and a verdict with
// reasons.
func FuzzMatch(f *testing.F) {
	f.Add("a\n  b\n  ...", []byte{1, 0, 0, 2, 1, 1, 3, 1, 1})
	f.Add("* a\n  + b\n    ? a", []byte{1, 1, 0, 2, 3, 1, 3, 2, 0})
	f.Add("(budget spans<3)\na [duration<1ms]\n  {0,2} b [link]\n  ...\n* c [event=a(k=1) k=~1|2]\n...", []byte{1, 0, 0, 2, 129, 1, 35, 1, 1})
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		want, err := spantree.Parse("fuzz", text)
		if err != nil || len(text) > 1000 || len(data) > 300 {
			return
		}
		got := spantree.Build(fuzzSpans(data))
		r := spantree.Match(want, got)
		if r.OK() == (len(r.Differences()) > 0) || r.OK() == (r.Explain() != "") {
			t.Errorf("match is %t with %d differences", r.OK(), len(r.Differences()))
		}
		if r.OK() && len(got.Defective()) > 0 && !want.Open && !hasDots(want.Roots) {
			t.Errorf("a defective forest matches a tree without ...:\n%s", got)
		}
	})
}

func hasDots(lines []*spantree.Expected) bool {
	return slices.ContainsFunc(lines, func(e *spantree.Expected) bool { return e.Open || hasDots(e.Children) })
}

// fuzzSpans makes spans from bytes: ids, parents, names, starts, and links.
func fuzzSpans(data []byte) []spantree.Span {
	var spans []spantree.Span
	for ; len(data) >= 3; data = data[3:] {
		s := span(fmt.Sprint(data[0]%16), fmt.Sprint(data[1]%16), string(rune('a'+data[2]%3)), int(data[0]>>4))
		s.End = s.Start.Add(time.Duration(int8(data[2])) * time.Millisecond)
		if data[1] >= 128 {
			s.Links = []spantree.Link{{TraceID: "1", SpanID: fmt.Sprint(data[2] % 16)}}
			s.Events = []spantree.Event{{Name: string(rune('a' + data[0]%3)), Attributes: map[string]any{"k": int64(data[2] % 2)}}}
		}
		s.Attributes = map[string]any{"k": int64(data[2] % 2)}
		spans = append(spans, s)
	}
	return spans
}

// FuzzRecord tests that a forest matches its recording, and that Update returns a text that the
// forest matches and that a second Update does not change.
func FuzzRecord(f *testing.F) {
	f.Add("a\n  b\n  ...", []byte{1, 0, 0, 2, 1, 1, 3, 1, 1}, uint8(0))
	f.Add("# head\n\n+ a  # first\n  # second\n  b [k=1 m]\n  ? c", []byte{1, 0, 0, 2, 1, 1, 3, 1, 1}, uint8(3))
	f.Add("(budget spans<9)\n* a\n  {1,2} b [link event=a(k=1)]\n    ? a", []byte{1, 129, 0, 2, 131, 1, 3, 2, 0}, uint8(7))
	f.Add("a [duration>=1s]\r\n  b [!event]", []byte{1, 0, 0, 2, 1, 1}, uint8(1))
	f.Fuzz(func(t *testing.T, text string, data []byte, flags uint8) {
		if len(text) > 500 || len(data) > 100 {
			return
		}
		got := spantree.Build(fuzzSpans(data))
		options := spantree.RecordOptions{Fold: flags&1 > 0, Variables: map[string]string{"K": "1", "T": "a"}}
		if flags&4 > 0 {
			options.Attributes, options.Events = []spantree.Rule{{Pattern: "*", Keep: spantree.KeepValue}}, []string{"*"}
		}
		matches := func(tree *spantree.Tree) {
			t.Helper()
			filled, err := tree.Fill(options.Variables)
			if err != nil {
				t.Fatalf("%v\n%s", err, tree)
			}
			if r := spantree.Match(filled, got); !r.OK() {
				t.Fatalf("the forest does not match its recording:\n%s", r.Explain())
			}
		}
		recorded, err := spantree.Record(got, options)
		if (err == nil) != (len(data) >= 3 && len(got.Defective()) == 0) {
			t.Fatalf("Record failed: %v", err)
		}
		if err != nil {
			return
		}
		matches(recorded)
		again, err := spantree.Parse("recorded", recorded.String())
		if err != nil {
			t.Fatalf("%v\n%s", err, recorded)
		}
		matches(again)
		updated, err := spantree.Update("fuzz", text, got, options)
		if err != nil {
			return // syntax, bounds on time, unknown variables
		}
		tree, err := spantree.Parse("updated", updated)
		if err != nil {
			t.Fatalf("%v\n%s", err, updated)
		}
		matches(tree)
		if second, err := spantree.Update("fuzz", updated, got, options); err != nil || second != updated {
			t.Fatalf("second Update: error %v, text\n%s\nafter\n%s", err, second, updated)
		}
	})
}
