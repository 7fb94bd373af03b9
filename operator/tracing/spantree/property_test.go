package spantree_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// passing is a tree. Its trace has one span for each line.
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

// TestMutations tests that a match fails after any change of one span of a trace that passed. The
// optional lines of the tree have children, so no single span is optional.
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
		mustFail("duplicate "+id, append(slices.Clone(spans), s))
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

// TestMutationsOfRandomTrees tests the same for random trees. Their lines have unique names or a
// condition that distinguishes them. Optional lines need a child, so no single span is optional.
func TestMutationsOfRandomTrees(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	const rounds = 300
	spansSeen := 0
	for range rounds {
		names := 0
		want := &spantree.Tree{Roots: distinctLines(random, 4, &names)}
		spans := spansOf(want)
		spansSeen += len(spans)
		if r := spantree.Match(want, spantree.Build(spans)); !r.OK() {
			t.Fatalf("the trace itself does not match\n%s\n%s", want, r.Explain())
		}
		for what, mutated := range mutationsOf(random, spans) {
			r := spantree.Match(want, spantree.Build(mutated))
			if r.OK() || len(r.Differences()) == 0 {
				t.Fatalf("%s: match is %t with %d differences\nexpected:\n%sactual:\n%s", what, r.OK(), len(r.Differences()), want, spantree.Build(mutated))
			}
		}
	}
	if spansSeen < rounds*5 {
		t.Errorf("%d spans in %d trees: the test needs more", spansSeen, rounds)
	}
}

// distinctLines returns lines that have exactly one possible span each.
func distinctLines(random *rand.Rand, depth int, names *int) []*spantree.Expected {
	lines := make([]*spantree.Expected, 1+random.IntN(3))
	for i := range lines {
		*names++
		e := &spantree.Expected{Name: fmt.Sprint("span ", *names)}
		if random.IntN(3) == 0 {
			e = &spantree.Expected{Name: "twin", Conditions: []spantree.Condition{{Key: "id", Value: fmt.Sprint(*names)}}}
		}
		if depth > 1 && random.IntN(2) == 0 {
			e.Children = distinctLines(random, depth-1, names)
			needsChild := func(child *spantree.Expected) bool {
				return child.Repeat == spantree.Once || child.Repeat == spantree.OnceOrMore
			}
			if slices.ContainsFunc(e.Children, needsChild) {
				e.Repeat = []spantree.Repeat{spantree.Once, spantree.Optional, spantree.AnyNumber, spantree.OnceOrMore}[random.IntN(4)]
			}
		}
		lines[i] = e
	}
	return lines
}

// mutationsOf returns copies of the spans, each with one change.
func mutationsOf(random *rand.Rand, spans []spantree.Span) map[string][]spantree.Span {
	all := map[string][]spantree.Span{"add a root": append(slices.Clone(spans), span("new", "", "unlisted", 99))}
	for i, s := range spans {
		all["remove "+s.SpanID] = slices.Delete(slices.Clone(spans), i, i+1)
		copied := s
		copied.SpanID = "copy"
		all["duplicate "+s.SpanID] = append(slices.Clone(spans), copied)
		all["add below "+s.SpanID] = append(slices.Clone(spans), span("new", s.SpanID, "unlisted", 99))
		other := spans[random.IntN(len(spans))].SpanID
		if other != s.ParentSpanID {
			moved := slices.Clone(spans)
			moved[i].ParentSpanID = other
			all["move "+s.SpanID+" below "+other] = moved
		}
		renamed := slices.Clone(spans)
		renamed[i].Name += "x"
		all["rename "+s.SpanID] = renamed
	}
	return all
}
