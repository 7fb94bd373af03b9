package spantree_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// passing is a tree, and the trace that has one span for each of its lines.
const passing = `admit Head [SERVER service=demo kind=Head]
  reconcile Head [CONSUMER]
    create ChildA [PRODUCER]
      reconcile ChildA [CONSUMER]
        create Deployment [PRODUCER]
      reconcile ChildA [CONSUMER]
        update_status ChildA [CLIENT]
      ? reconcile ChildA [CONSUMER]
        update_status ChildA [CLIENT status=Error]
  reconcile Head [CONSUMER]
    update_status Head [CLIENT]
  * reconcile Head [CONSUMER]
    read Head [CLIENT]
  converge Head [INTERNAL]
`

// The harness's promise: whatever one changes about one span of a trace that
// passes, the match fails. (The optional lines of the tree have lines below them,
// so that no single span may go or come again.)
func TestMutations(t *testing.T) {
	want := parse(t, passing)
	spans := spansOf(want)
	if r := spantree.Match(want, spantree.Build(spans)); !r.OK() {
		t.Fatalf("the trace itself does not match:\n%s", r.Explain())
	}
	mustFail := func(name string, mutated []spantree.Span) {
		t.Run(name, func(t *testing.T) {
			r := spantree.Match(want, spantree.Build(mutated))
			if r.OK() {
				t.Errorf("the match passes:\n%s", spantree.Build(mutated))
			} else if len(r.Differences()) == 0 {
				t.Error("the match fails without a difference")
			}
		})
	}
	for i, s := range spans {
		id := s.SpanID + " " + s.Name
		mustFail("remove "+id, slices.Delete(slices.Clone(spans), i, i+1))
		for _, parent := range append(slices.Clone(spans), spantree.Span{}, spantree.Span{SpanID: "unknown"}) {
			moved := slices.Clone(spans)
			moved[i].ParentSpanID = parent.SpanID
			if parent.SpanID == s.ParentSpanID {
				continue
			}
			mustFail(fmt.Sprintf("move %s below %s %s", id, parent.SpanID, parent.Name), moved)
		}
		copied := s
		copied.SpanID = "copy"
		mustFail("duplicate "+id, append(slices.Clone(spans), copied))
		mustFail("send twice "+id, append(slices.Clone(spans), s))
		mustFail("add below "+id, append(slices.Clone(spans), span("new", s.SpanID, "unlisted", 99)))
		for change, apply := range map[string]func(*spantree.Span){
			"name": func(s *spantree.Span) { s.Name += "x" }, "kind": func(s *spantree.Span) { s.Kind = "" },
			"service": func(s *spantree.Span) { s.Service = "other" },
		} {
			changed := slices.Clone(spans)
			apply(&changed[i])
			mustFail("change the "+change+" of "+id, changed)
		}
	}
	mustFail("add a root", append(slices.Clone(spans), span("new", "", "unlisted", 99)))
	mustFail("no spans", nil)
}

// The matcher agrees with trying every assignment, on random small trees, and
// explains itself exactly where it fails.
func TestMatchAgreesWithTryingAll(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	passed := 0
	const rounds = 30_000
	for range rounds {
		want := &spantree.Tree{Open: random.IntN(8) == 0}
		want.Roots = randomLines(random, 3)
		got := spantree.Build(randomSpans(random))
		r := spantree.Match(want, got)
		all := tryAll(want.Roots, got.Roots, want.Open)
		if r.OK() != all {
			t.Fatalf("match is %t, trying all assignments gives %t\nexpected:\n%sactual:\n%s", r.OK(), all, want, got)
		}
		if r.OK() == (len(r.Differences()) > 0) {
			t.Fatalf("match is %t with %d differences\nexpected:\n%sactual:\n%s", r.OK(), len(r.Differences()), want, got)
		}
		if r.OK() {
			passed++
		}
	}
	if passed < rounds/50 || passed > rounds*9/10 {
		t.Errorf("%d of %d random trees match: the test says little", passed, rounds)
	}
}

func randomLines(random *rand.Rand, depth int) []*spantree.Expected {
	if depth == 0 {
		return nil
	}
	lines := make([]*spantree.Expected, random.IntN(4))
	for i := range lines {
		lines[i] = &spantree.Expected{
			Name:     string(rune('a' + random.IntN(2))),
			Repeat:   []spantree.Repeat{spantree.Once, spantree.Optional, spantree.AnyNumber, spantree.OnceOrMore}[random.IntN(4)],
			Children: randomLines(random, depth-1),
			Open:     random.IntN(4) == 0,
		}
	}
	return lines
}

func randomSpans(random *rand.Rand) []spantree.Span {
	spans := make([]spantree.Span, random.IntN(7))
	for i := range spans {
		parent := ""
		if p := random.IntN(i + 1); p > 0 && random.IntN(3) > 0 {
			parent = fmt.Sprint("s", p)
		}
		spans[i] = span(fmt.Sprint("s", i+1), parent, string(rune('a'+random.IntN(2))), i)
	}
	return spans
}

// tryAll decides the match of names by trying every line for every span.
func tryAll(lines []*spantree.Expected, spans []*spantree.Node, open bool) bool {
	counts := make([]int, len(lines))
	var try func(i int) bool
	try = func(i int) bool {
		if i == len(spans) {
			for l, line := range lines {
				if counts[l] == 0 && (line.Repeat == spantree.Once || line.Repeat == spantree.OnceOrMore) {
					return false
				}
			}
			return true
		}
		if open && try(i+1) {
			return true
		}
		for l, line := range lines {
			full := counts[l] > 0 && (line.Repeat == spantree.Once || line.Repeat == spantree.Optional)
			if full || line.Name != spans[i].Span.Name || !tryAll(line.Children, spans[i].Children, line.Open) {
				continue
			}
			counts[l]++
			ok := try(i + 1)
			counts[l]--
			if ok {
				return true
			}
		}
		return false
	}
	return try(0)
}

// Spans of any ids and any tree: no panic, no hang, and a verdict with reasons.
func FuzzMatch(f *testing.F) {
	f.Add("a\n  b\n  ...", []byte{1, 0, 0, 2, 1, 1, 3, 1, 1})
	f.Add("* a\n  + b\n    ? a", []byte{1, 1, 0, 2, 3, 1, 3, 2, 0})
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		want, err := spantree.Parse("fuzz", text)
		if err != nil || len(text) > 1000 || len(data) > 300 {
			return
		}
		var spans []spantree.Span
		for ; len(data) >= 3; data = data[3:] {
			spans = append(spans, span(fmt.Sprint(data[0]%16), fmt.Sprint(data[1]%16), string(rune('a'+data[2]%3)), len(data)))
		}
		got := spantree.Build(spans)
		r := spantree.Match(want, got)
		if r.OK() == (len(r.Differences()) > 0) || r.OK() == (r.Explain() != "") {
			t.Errorf("match is %t with %d differences", r.OK(), len(r.Differences()))
		}
		if r.OK() && len(got.Defective()) > 0 && !hasDots(want.Roots) {
			t.Errorf("a defective forest matches a tree without ...:\n%s", got)
		}
	})
}

func hasDots(lines []*spantree.Expected) bool {
	return slices.ContainsFunc(lines, func(e *spantree.Expected) bool { return e.Open || hasDots(e.Children) })
}
