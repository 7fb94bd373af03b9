package spantree_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

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

// The promise holds for any tree: its lines have names of their own, or a
// condition that tells them apart, and those that need not be there once need
// something below them, so that no single span may go or come again.
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
		t.Errorf("%d spans in %d trees: the test says little", spansSeen, rounds)
	}
}

// distinctLines are lines of which each has a span, and each span one line.
func distinctLines(random *rand.Rand, depth int, names *int) []*spantree.Expected {
	lines := make([]*spantree.Expected, 1+random.IntN(3))
	for i := range lines {
		*names++
		e := spantree.Expect(fmt.Sprint("span ", *names))
		if random.IntN(3) == 0 {
			e = spantree.Expect("twin", spantree.Attr("id", *names))
		}
		if depth > 1 && random.IntN(2) == 0 {
			e.Children = distinctLines(random, depth-1, names)
			e.Ordered = random.IntN(3) == 0
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

// mutationsOf changes one span each.
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

// Siblings in order may not change places.
func TestMutationsOfOrder(t *testing.T) {
	want := parse(t, "a\n  (ordered)\n  b\n  + c\n    d\n  ? e\n    f\n  g")
	spans := spansOf(want)
	if r := spantree.Match(want, spantree.Build(spans)); !r.OK() {
		t.Fatalf("the trace itself does not match:\n%s", r.Explain())
	}
	for i, s := range spans {
		for j, other := range spans {
			if s.ParentSpanID != "s1" || other.ParentSpanID != "s1" || i == j {
				continue
			}
			swapped := slices.Clone(spans)
			swapped[i].Start, swapped[j].Start = other.Start, s.Start
			r := spantree.Match(want, spantree.Build(swapped))
			if differences := r.Differences(); r.OK() || len(differences) == 0 || differences[0].Type != spantree.Moved {
				t.Errorf("%s and %s in each other's place: match is %t, differences %v", s.Name, other.Name, r.OK(), differences)
			}
		}
	}
}

// The matcher agrees with trying every assignment, on random small trees, and
// explains itself exactly where it fails.
func TestMatchAgreesWithTryingAll(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for name, ordered := range map[string]bool{"unordered": false, "ordered": true} {
		passed := 0
		const rounds = 30_000
		for range rounds {
			want := &spantree.Tree{Open: random.IntN(8) == 0, Ordered: ordered && random.IntN(2) == 0}
			want.Roots = randomLines(random, 3, ordered)
			got := spantree.Build(randomSpans(random))
			r := spantree.Match(want, got)
			if all := tryAll(want.Roots, got.Roots, want.Open, want.Ordered); r.OK() != all {
				t.Fatalf("match is %t, trying all assignments gives %t\nexpected:\n%sactual:\n%s", r.OK(), all, want, starts(got))
			}
			if r.OK() == (len(r.Differences()) > 0) {
				t.Fatalf("match is %t with %d differences\nexpected:\n%sactual:\n%s", r.OK(), len(r.Differences()), want, starts(got))
			}
			if r.OK() {
				passed++
			}
		}
		if passed < rounds/100 || passed > rounds*9/10 {
			t.Errorf("%d of %d random trees match, %s: the test says little", passed, rounds, name)
		}
	}
}

// starts prints a forest with the starts of its spans.
func starts(forest *spantree.Forest) string {
	text := ""
	forest.Walk(func(n *spantree.Node, depth int) bool {
		text += fmt.Sprintf("%*s%s %d\n", 2*depth, "", n.Span.Name, n.Span.Start.Unix())
		return true
	})
	return text
}

// Many siblings of one name, so that lines are looked up by what they must have.
func TestMatchAgreesWithTryingAllOfManyLines(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	passed := 0
	for range 20_000 {
		want := &spantree.Tree{Open: random.IntN(8) == 0}
		for i := range 9 + random.IntN(4) {
			e := spantree.Expect("a", []spantree.Repeat{spantree.Optional, spantree.AnyNumber, spantree.Optional, spantree.Once}[random.IntN(3+i%9/8)])
			for range random.IntN(3) {
				e.Children = append(e.Children, spantree.Expect(string(rune('a'+random.IntN(4))), spantree.Repeat([]string{"", "", "?"}[random.IntN(3)])))
			}
			if random.IntN(2) == 0 {
				e.Conditions = append(e.Conditions, spantree.Attr("k", random.IntN(3)))
			}
			want.Roots = append(want.Roots, e)
		}
		var spans []spantree.Span
		for i := range random.IntN(4) {
			s := span(fmt.Sprint(i), "", "a", 0)
			s.Attributes = map[string]any{"k": int64(random.IntN(3))}
			spans = append(spans, s)
			for j := range random.IntN(3) {
				spans = append(spans, span(fmt.Sprint(i, j), s.SpanID, string(rune('a'+random.IntN(4))), 0))
			}
		}
		got := spantree.Build(spans)
		r := spantree.Match(want, got)
		if all := tryAll(want.Roots, got.Roots, want.Open, false); r.OK() != all {
			t.Fatalf("match is %t, trying all assignments gives %t\nexpected:\n%sactual:\n%s", r.OK(), all, want, got)
		}
		if r.OK() {
			passed++
		}
	}
	if passed < 400 || passed > 18_000 {
		t.Errorf("%d of 20000 random trees match: the test says little", passed)
	}
}

func randomLines(random *rand.Rand, depth int, ordered bool) []*spantree.Expected {
	if depth == 0 {
		return nil
	}
	lines := make([]*spantree.Expected, random.IntN(4))
	for i := range lines {
		lines[i] = &spantree.Expected{
			Name:     string(rune('a' + random.IntN(2))),
			Repeat:   []spantree.Repeat{spantree.Once, spantree.Optional, spantree.AnyNumber, spantree.OnceOrMore}[random.IntN(4)],
			Children: randomLines(random, depth-1, ordered),
			Open:     random.IntN(4) == 0,
			Ordered:  ordered && random.IntN(2) == 0,
		}
	}
	return lines
}

// randomSpans start at one of few moments, often the same.
func randomSpans(random *rand.Rand) []spantree.Span {
	spans := make([]spantree.Span, random.IntN(7))
	for i := range spans {
		parent := ""
		if p := random.IntN(i + 1); p > 0 && random.IntN(3) > 0 {
			parent = fmt.Sprint("s", p)
		}
		spans[i] = span(fmt.Sprint("s", i+1), parent, string(rune('a'+random.IntN(2))), random.IntN(4))
	}
	return spans
}

// tryAll decides the match of names, and of the attribute k, by trying every line
// for every span.
func tryAll(lines []*spantree.Expected, spans []*spantree.Node, open, ordered bool) bool {
	lineOf := make([]int, len(spans))
	counts := make([]int, len(lines))
	var try func(i int) bool
	try = func(i int) bool {
		if i == len(spans) {
			for l, line := range lines {
				if counts[l] == 0 && (line.Repeat == spantree.Once || line.Repeat == spantree.OnceOrMore) {
					return false
				}
			}
			return !ordered || inOrder(spans, lineOf)
		}
		lineOf[i] = -1
		if open && try(i+1) {
			return true
		}
		for l, line := range lines {
			full := counts[l] > 0 && (line.Repeat == spantree.Once || line.Repeat == spantree.Optional)
			if full || !alone(line, spans[i]) || !tryAll(line.Children, spans[i].Children, line.Open, line.Ordered) {
				continue
			}
			counts[l]++
			lineOf[i] = l
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

func alone(line *spantree.Expected, n *spantree.Node) bool {
	for _, c := range line.Conditions {
		if fmt.Sprint(n.Span.Attributes[c.Key]) != c.Value {
			return false
		}
	}
	return line.Name == n.Span.Name
}

// inOrder reports whether no span starts before one of an earlier line.
func inOrder(spans []*spantree.Node, lineOf []int) bool {
	for i, s := range spans {
		for j, other := range spans {
			if lineOf[i] >= 0 && lineOf[j] >= 0 && s.Span.Start.Before(other.Span.Start) && lineOf[i] > lineOf[j] {
				return false
			}
		}
	}
	return true
}

// Spans of any ids and any tree: no panic, no hang, and a verdict with reasons.
func FuzzMatch(f *testing.F) {
	f.Add("a\n  b\n  ...", []byte{1, 0, 0, 2, 1, 1, 3, 1, 1})
	f.Add("* a\n  + b\n    ? a", []byte{1, 1, 0, 2, 3, 1, 3, 2, 0})
	f.Add("(ordered)\na [@x duration<1ms]\n  (ordered)\n  b [link=@x links=1]\n  ...\n* c [event=a(k=1) k=~1|2]\n...", []byte{1, 0, 0, 2, 129, 1, 35, 1, 1})
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
		if r.OK() && len(got.Defective()) > 0 && !hasDots(want.Roots) {
			t.Errorf("a defective forest matches a tree without ...:\n%s", got)
		}
	})
}

func hasDots(lines []*spantree.Expected) bool {
	return slices.ContainsFunc(lines, func(e *spantree.Expected) bool { return e.Open || hasDots(e.Children) })
}

// fuzzSpans makes spans of bytes: ids, parents, names, starts, and links.
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

// Whatever can be recorded matches its recording, and updating any text with any
// forest gives one that matches, and that stays as it is from then on.
func FuzzRecord(f *testing.F) {
	f.Add("a\n  b\n  ...", []byte{1, 0, 0, 2, 1, 1, 3, 1, 1}, uint8(0))
	f.Add("# head\n\n+ a  # first\n  # second\n  b [k=1 m]\n  ? c", []byte{1, 0, 0, 2, 1, 1, 3, 1, 1}, uint8(3))
	f.Add("(ordered)\n* a\n  + b [link=@x event=a(k=1)]\n    ? a [@x]", []byte{1, 129, 0, 2, 131, 1, 3, 2, 0}, uint8(7))
	f.Add("a [duration>=1s]\r\n  b [links=1 !event]", []byte{1, 0, 0, 2, 1, 1}, uint8(1))
	f.Fuzz(func(t *testing.T, text string, data []byte, flags uint8) {
		if len(text) > 500 || len(data) > 100 {
			return
		}
		got := spantree.Build(fuzzSpans(data))
		options := spantree.RecordOptions{Fold: flags&1 > 0, Ordered: flags&2 > 0, Variables: map[string]string{"K": "1", "T": "a"}}
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
			t.Fatalf("recording gives the error %v", err)
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
			t.Fatalf("updating again gives %v and\n%s\nafter\n%s", err, second, updated)
		}
	})
}
