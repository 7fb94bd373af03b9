package spantree_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// TestMatchAgreesWithTryingAll compares the matcher with a search of all assignments, on small
// random trees. It also tests that a result has differences exactly if the match fails.
func TestMatchAgreesWithTryingAll(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	passed := 0
	const rounds = 20_000
	for range rounds {
		want := &spantree.Tree{Open: random.IntN(8) == 0, Roots: randomLines(random, 3)}
		got := spantree.Build(randomSpans(random))
		r := spantree.Match(want, got)
		if all := tryAll(want.Roots, got.Roots, want.Open); r.OK() != all {
			t.Fatalf("match is %t, want %t from trying all assignments\nexpected:\n%sactual:\n%s", r.OK(), all, want, got)
		}
		if r.OK() == (len(r.Differences()) > 0) {
			t.Fatalf("match is %t with %d differences\nexpected:\n%sactual:\n%s", r.OK(), len(r.Differences()), want, got)
		}
		if r.OK() {
			passed++
		}
	}
	if passed < rounds/100 || passed > rounds*9/10 {
		t.Errorf("%d of %d random trees match; the test needs both results", passed, rounds)
	}
}

// Many siblings have the same name, so that the matcher uses its index.
func TestMatchAgreesWithTryingAllOfManyLines(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	passed := 0
	for range 20_000 {
		want := &spantree.Tree{Open: random.IntN(8) == 0}
		for i := range 9 + random.IntN(4) {
			e := &spantree.Expected{Name: "a", Repeat: []spantree.Repeat{spantree.Optional, spantree.AnyNumber, "{0,2}", spantree.Once}[random.IntN(3+i%9/8)]}
			for range random.IntN(3) {
				e.Children = append(e.Children, &spantree.Expected{Name: string(rune('a' + random.IntN(4))), Repeat: spantree.Repeat([]string{"", "", "?"}[random.IntN(3)])})
			}
			if random.IntN(2) == 0 {
				e.Conditions = append(e.Conditions, spantree.Condition{Key: "k", Value: fmt.Sprint(random.IntN(3))})
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
		if all := tryAll(want.Roots, got.Roots, want.Open); r.OK() != all {
			t.Fatalf("match is %t, want %t from trying all assignments\nexpected:\n%sactual:\n%s", r.OK(), all, want, got)
		}
		if r.OK() {
			passed++
		}
	}
	if passed < 400 || passed > 18_000 {
		t.Errorf("%d of 20000 random trees match; the test needs both results", passed)
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
			Repeat:   []spantree.Repeat{spantree.Once, spantree.Optional, spantree.AnyNumber, spantree.OnceOrMore, "{0,2}", "{2}", "{1,3}"}[random.IntN(7)],
			Children: randomLines(random, depth-1),
			Open:     random.IntN(4) == 0,
		}
	}
	return lines
}

// randomSpans returns spans with few different starts.
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

// tryAll decides the match of names and of the attribute k by trying every line for every span.
func tryAll(lines []*spantree.Expected, spans []*spantree.Node, open bool) bool {
	counts := make([]int, len(lines))
	var try func(i int) bool
	try = func(i int) bool {
		if i == len(spans) {
			for l, line := range lines {
				if least, _ := line.Repeat.Bounds(); counts[l] < least {
					return false
				}
			}
			return true
		}
		if open && try(i+1) {
			return true
		}
		for l, line := range lines {
			_, most := line.Repeat.Bounds()
			full := most >= 0 && counts[l] == most
			if full || !alone(line, spans[i]) || !tryAll(line.Children, spans[i].Children, line.Open) {
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

func alone(line *spantree.Expected, n *spantree.Node) bool {
	for _, c := range line.Conditions {
		if fmt.Sprint(n.Span.Attributes[c.Key]) != c.Value {
			return false
		}
	}
	return line.Name == n.Span.Name
}
