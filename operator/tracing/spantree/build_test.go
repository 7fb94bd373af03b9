package spantree_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// span returns a span of trace "1" that starts at the given second.
func span(id, parent, name string, second int) spantree.Span {
	start := time.Unix(int64(second), 0)
	return spantree.Span{TraceID: "1", SpanID: id, ParentSpanID: parent, Name: name, Start: start, End: start.Add(time.Second)}
}

func TestBuild(t *testing.T) {
	other := span("c", "a", "other trace", 0)
	other.TraceID = "2"
	tests := map[string]struct {
		spans []spantree.Span
		want  string
	}{
		"none": {nil, ""},
		"children before their parents, ordered by start": {
			[]spantree.Span{span("d", "b", "leaf", 3), span("c", "a", "late", 2), span("b", "a", "early", 1), span("a", "", "root", 0)},
			"root\n  early\n    leaf\n  late\n",
		},
		"a parent of zeros is not a parent": {
			[]spantree.Span{span("a", "0000000000000000", "root", 0)},
			"root\n",
		},
		"several roots": {
			[]spantree.Span{span("b", "", "second", 1), span("a", "", "first", 0)},
			"first\nsecond\n",
		},
		"a child that starts before its parent": {
			[]spantree.Span{span("a", "", "root", 10), span("b", "a", "skewed", 1)},
			"root\n  skewed\n",
		},
		"orphan": {
			[]spantree.Span{span("a", "", "root", 0), span("b", "f", "lost", 1)},
			"root\nlost  # its parent f is missing\n",
		},
		"the parent in another trace is missing": {
			[]spantree.Span{span("a", "", "root", 0), other},
			"other trace  # its parent a is missing\nroot\n",
		},
		"own parent": {
			[]spantree.Span{span("a", "a", "self", 0)},
			"self  # it is its own ancestor\n",
		},
		"a cycle is cut at its earliest span": {
			[]spantree.Span{span("a", "c", "a", 2), span("b", "a", "b", 1), span("c", "b", "c", 3), span("d", "c", "tail", 0)},
			"b  # it is its own ancestor\n  c\n    tail\n    a\n",
		},
		"duplicate ids": {
			[]spantree.Span{span("a", "", "root", 0), span("b", "a", "first", 1), span("b", "a", "second", 2), span("c", "b", "leaf", 3)},
			"root\n  first\n    leaf\n  second  # its id b is another span's too\n",
		},
		"no id": {
			[]spantree.Span{span("", "", "x", 0), span("", "", "y", 1)},
			"x\ny\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := diff(test.want, spantree.Build(test.spans).String()); diff != "" {
				t.Errorf("forest (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBuildKeepsEverySpan tests that every span is in the forest once, for any ids and parents, and
// that the order of the input does not matter.
func TestBuildKeepsEverySpan(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := random.IntN(12)
		spans := make([]spantree.Span, n)
		for i := range spans {
			spans[i] = span(fmt.Sprint(random.IntN(10)), fmt.Sprint(random.IntN(12)), fmt.Sprint("span ", i), random.IntN(5))
		}
		got := map[string]int{}
		for _, s := range spantree.Build(spans).Spans() {
			got[s.Name]++
		}
		for _, s := range spans {
			if got[s.Name] != 1 {
				t.Fatalf("span %s is in the forest %d times; spans: %v", s.Name, got[s.Name], spans)
			}
		}
		if len(got) != n {
			t.Fatalf("%d spans in the forest, want %d", len(got), n)
		}
	}
}

func TestBuildOrderOfInput(t *testing.T) {
	spans := []spantree.Span{span("a", "", "root", 0), span("b", "a", "x", 1), span("c", "a", "x", 1), span("d", "c", "y", 1), span("e", "q", "lost", 0)}
	want := spantree.Build(spans).String()
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		random.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		if got := spantree.Build(spans).String(); got != want {
			t.Fatalf("forest of the spans in another order =\n%s\nwant:\n%s", got, want)
		}
	}
}

// TestBadTraces builds, matches, explains, prints and records incorrect traces. Each has a correct
// tree or a clear error.
func TestBadTraces(t *testing.T) {
	cycle := []spantree.Span{span("r", "", "root", 0), span("a", "c", "a", 1), span("b", "a", "b", 2), span("c", "b", "c", 3)}
	twoCycles := slices.Concat(cycle[1:], []spantree.Span{span("x", "y", "x", 9), span("y", "x", "y", 8)})
	skewed := []spantree.Span{span("r", "", "root", 100), span("a", "r", "a", 1), span("b", "a", "b", -50)}
	skewed[1].End = skewed[1].Start.Add(-time.Hour)
	tests := map[string]struct {
		spans []spantree.Span
		want  string
		ok    bool
		// defects are the defects of the forest, in its order.
		defects []spantree.Defect
		say     string
	}{
		"cycle":                {cycle, "root", false, []spantree.Defect{spantree.DefectCycle}, "it is its own ancestor"},
		"nothing but cycles":   {twoCycles, "root", false, []spantree.Defect{spantree.DefectCycle, spantree.DefectCycle}, "want it as a root"},
		"cycle, others let in": {cycle, "root\n...", false, []spantree.Defect{spantree.DefectCycle}, "it is its own ancestor"},
		"duplicate ids": {append(cycle[:1:1], span("r", "", "root", 0)), "+ root", false,
			[]spantree.Defect{spantree.DefectDuplicate}, "its id r is another span's too"},
		"duplicate of its own child": {append(cycle[:1:1], span("r", "r", "root", 0)), "root\n  root", false,
			[]spantree.Defect{spantree.DefectDuplicate}, "its id r is another span's too"},
		"missing roots": {[]spantree.Span{span("a", "r", "a", 1), span("b", "r", "b", 2), span("c", "b", "c", 3)}, "root\n  a\n  b\n    c", false,
			[]spantree.Defect{spantree.DefectOrphan, spantree.DefectOrphan}, "its parent r is missing"},
		"two roots":              {[]spantree.Span{span("a", "", "a", 1), span("b", "", "b", 2)}, "b\na", true, nil, ""},
		"two roots, one wanted":  {[]spantree.Span{span("a", "", "a", 1), span("b", "", "b", 2)}, "a", false, nil, "found as a root"},
		"child before parent":    {skewed, "root\n  a [duration<0s]\n    b", true, nil, ""},
		"no times at all":        {[]spantree.Span{{SpanID: "a", Name: "a"}, {SpanID: "b", ParentSpanID: "a", Name: "b"}}, "a [duration=0s]\n  b", true, nil, ""},
		"no names, kinds or ids": {[]spantree.Span{{}, {}}, `+ ""`, true, nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			forest := spantree.Build(test.spans)
			var defects []spantree.Defect
			for _, n := range forest.Defective() {
				defects = append(defects, n.Defect)
			}
			if diff := diff(test.defects, defects); diff != "" {
				t.Errorf("defects (-want +got):\n%s", diff)
			}
			if got := len(forest.Spans()); got != len(test.spans) {
				t.Errorf("%d spans in the forest, want %d", got, len(test.spans))
			}
			r := spantree.Match(parse(t, test.want), forest)
			if r.OK() != test.ok || !strings.Contains(r.Explain(), test.say) {
				t.Errorf("match is %t, want %t and an explanation that says %q:\n%s", r.OK(), test.ok, test.say, r.Explain())
			}
			if tree, err := spantree.Record(forest, spantree.RecordOptions{}); (err == nil) != (test.defects == nil) || (tree == nil) != (err != nil) {
				t.Errorf("Record = %v, %v", tree, err)
			}
		})
	}
}

// TestHugeTraces builds, matches and explains 100,000 spans in trees of any width and depth.
func TestHugeTraces(t *testing.T) {
	const n = 100_000
	wide := []spantree.Span{span("r", "", "root", 0)}
	chain := []spantree.Span{span("r", "", "root", 0)}
	orphans := []spantree.Span{span("r", "", "root", 0)}
	for i := range n {
		id := fmt.Sprint("s", i)
		wide = append(wide, span(id, "r", "step", i))
		chain = append(chain, span(id, chain[i].SpanID, "step", i))
		orphans = append(orphans, span(id, fmt.Sprint("gone", i), "step", i))
	}
	deepLines := strings.Builder{}
	for depth := range 1000 {
		deepLines.WriteString(strings.Repeat("  ", depth) + "step\n")
	}
	tests := map[string]struct {
		spans       []spantree.Span
		want        string
		ok          bool
		differences int
	}{
		"wide":                  {wide, "root\n  + step", true, 0},
		"wide, in bounds":       {wide, "root\n  {0,99999} step\n  step", true, 0},
		"wide, one extra":       {wide, "root\n  + step\n    more", false, n},
		"chain, others let in":  {chain, "root\n  ...", true, 0},
		"chain":                 {chain, "root\n  step", false, n - 1},
		"chain and a deep tree": {chain, deepLines.String(), false, n + 1 - 1000 + 1},
		"all parents are gone":  {orphans, "root\n...", false, n},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := spantree.Match(parse(t, test.want), spantree.Build(test.spans))
			if got := len(r.Differences()); r.OK() != test.ok || got != test.differences {
				t.Errorf("match is %t with %d differences, want %t with %d\n%.1000s", r.OK(), got, test.ok, test.differences, r.Explain())
			}
			if text := r.Explain(); (text == "") != test.ok || len(text) > 200_000 {
				t.Errorf("an explanation of %d bytes:\n%.1000s", len(text), text)
			}
		})
	}
}

// TestBuildLongChain tests that a long chain and a long cycle neither overflow the stack nor take
// quadratic time.
func TestBuildLongChain(t *testing.T) {
	const length = 50_000
	spans := make([]spantree.Span, length)
	for i := range spans {
		spans[i] = span(fmt.Sprint("s", i), fmt.Sprint("s", i-1), "step", i)
	}
	spans[0].ParentSpanID = ""
	if forest := spantree.Build(spans); len(forest.Roots) != 1 || len(forest.Spans()) != length {
		t.Errorf("%d roots, %d spans; want 1 and %d", len(forest.Roots), len(forest.Spans()), length)
	}
	spans[0].ParentSpanID = fmt.Sprint("s", length-1)
	forest := spantree.Build(spans)
	if len(forest.Defective()) != 1 || forest.Defective()[0].Defect != spantree.DefectCycle {
		t.Errorf("%d defective nodes, want the one where the cycle is cut", len(forest.Defective()))
	}
	if !strings.HasPrefix(forest.String(), "step  # it is its own ancestor\n") {
		t.Error("the cycle is not cut at its earliest span")
	}
}

func TestNilForest(t *testing.T) {
	var forest *spantree.Forest
	if forest.String() != "" || forest.Spans() != nil || forest.Defective() != nil {
		t.Error("a nil forest is not empty")
	}
}

func TestFormatValue(t *testing.T) {
	tests := []struct {
		value any
		want  string
	}{
		{"text", "text"}, {true, "true"}, {3, "3"}, {int64(-7), "-7"}, {1.5, "1.5"}, {2.0, "2"},
		{[]string{"a", "b"}, "[a,b]"}, {[]int64{1, 2}, "[1,2]"}, {[]any{"a", int64(1), false}, "[a,1,false]"},
		{nil, "<nil>"},
	}
	for _, test := range tests {
		if got := spantree.FormatValue(test.value); got != test.want {
			t.Errorf("FormatValue(%#v) = %q, want %q", test.value, got, test.want)
		}
	}
}
