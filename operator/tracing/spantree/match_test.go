package spantree_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

func parse(t *testing.T, text string) *spantree.Tree {
	t.Helper()
	tree, err := spantree.Parse("test", text)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// forest makes one span for every line of an expected tree. Equal conditions become attributes.
func forest(t *testing.T, text string) *spantree.Forest {
	t.Helper()
	return spantree.Build(spansOf(parse(t, text)))
}

func spansOf(tree *spantree.Tree) []spantree.Span {
	var spans []spantree.Span
	var add func(nodes []*spantree.Expected, parent, service string)
	add = func(nodes []*spantree.Expected, parent, service string) {
		for _, e := range nodes {
			s := span(fmt.Sprint("s", len(spans)+1), parent, e.Name, len(spans))
			if s.Service = e.Service; s.Service == "" {
				s.Service = service
			}
			s.Kind, s.Status.Code = e.Kind, e.Status
			s.Attributes = map[string]any{}
			for _, c := range e.Conditions {
				s.Attributes[c.Key] = c.Value
			}
			spans = append(spans, s)
			add(e.Children, s.SpanID, s.Service)
		}
	}
	add(tree.Roots, "", "")
	return spans
}

// manyChildren returns a tree of one parent and n children with different names.
func manyChildren(n int) string {
	var text strings.Builder
	text.WriteString("a")
	for i := range n {
		fmt.Fprintf(&text, "\n  b%d", i)
	}
	return text.String()
}

func TestMatch(t *testing.T) {
	tests := map[string]struct {
		want, got string
		ok        bool
	}{
		"equal":                           {"a\n  b\n  c", "a\n  b\n  c", true},
		"siblings have no order":          {"a\n  b\n  c", "a\n  c\n  b", true},
		"missing":                         {"a\n  b\n  c", "a\n  b", false},
		"extra":                           {"a\n  b", "a\n  b\n  c", false},
		"extra twin":                      {"a\n  b", "a\n  b\n  b", false},
		"extra below a leaf":              {"a\n  b", "a\n  b\n    c", false},
		"extra root":                      {"a", "a\nb", false},
		"other name":                      {"a", "b", false},
		"another parent":                  {"a\n  b\n  c", "a\n  b\n    c", false},
		"optional there":                  {"a\n  ? b", "a\n  b", true},
		"optional is absent":              {"a\n  ? b", "a", true},
		"optional twice":                  {"a\n  ? b", "a\n  b\n  b", false},
		"any number: none":                {"a\n  * b", "a", true},
		"any number: three":               {"a\n  * b", "a" + strings.Repeat("\n  b", 3), true},
		"once or more: none":              {"a\n  + b", "a", false},
		"once or more: one":               {"a\n  + b", "a\n  b", true},
		"once or more: three":             {"a\n  + b", "a" + strings.Repeat("\n  b", 3), true},
		"bounds: too few":                 {"a\n  {2,3} b", "a\n  b", false},
		"bounds: enough":                  {"a\n  {2,3} b", "a\n  b\n  b", true},
		"bounds: as many as possible":     {"a\n  {2,3} b", "a\n  b\n  b\n  b", true},
		"bounds: too many":                {"a\n  {2,3} b", "a" + strings.Repeat("\n  b", 4), false},
		"bounds: none":                    {"a\n  {0,3} b", "a", true},
		"bounds: no upper one":            {"a\n  {2,} b", "a" + strings.Repeat("\n  b", 9), true},
		"bounds: exactly":                 {"a\n  {2} b", "a\n  b\n  b\n  b", false},
		"bounds and a single line":        {"a\n  {0,2} b\n  b", "a" + strings.Repeat("\n  b", 3), true},
		"bounds and a line, too many":     {"a\n  {0,2} b\n  b", "a" + strings.Repeat("\n  b", 4), false},
		"bounds and dots":                 {"a\n  {0,2} b\n  ...", "a" + strings.Repeat("\n  b", 4), true},
		"budget":                          {"(budget spans<=2)\na\n  * b", "a\n  b", true},
		"budget exceeded":                 {"(budget spans<=2)\na\n  * b", "a\n  b\n  b", false},
		"repeated with children":          {"a\n  * b\n    c", "a\n  b\n    c\n  b\n    c", true},
		"repeated without its child":      {"a\n  * b\n    c", "a\n  b\n    c\n  b", false},
		"others allowed":                  {"a\n  b\n  ...", "a\n  b\n  x\n    y\n  z", true},
		"others allowed, one missing":     {"a\n  b\n  ...", "a\n  x", false},
		"others allowed at another place": {"a\n  ...\n  b", "a\n  b\n  c", true},
		"others allowed elsewhere only":   {"a\n  b\n  ...", "a\n  b\n    c", false},
		"other roots allowed":             {"a\n...", "a\nb\n  c", true},
		"twins with different children":   {"a\n  r\n    x\n  r\n    y", "a\n  r\n    y\n  r\n    x", true},
		"twins with equal children":       {"a\n  r\n    x\n  r\n    y", "a\n  r\n    x\n  r\n    x", false},
		"the most specific line gets its span": {
			"a\n  * r\n    ...\n  r\n    x", "a\n  r\n    x\n  r\n    y\n  r", true},
		"greedy in line order would fail": {
			"a\n  r\n    ...\n  r\n    x", "a\n  r\n    x\n  r", true},
		"greedy for once or more would fail": {
			"a\n  + r\n    ...\n  r\n    x\n  ? r\n    x", "a\n  r\n    x\n  r\n    x", true},
		"kind":                                   {"a [SERVER]", "a [SERVER]", true},
		"other kind":                             {"a [SERVER]", "a [CLIENT]", false},
		"kind not stated":                        {"a", "a [CLIENT]", true},
		"service":                                {"a [service=x]", "a [service=x]", true},
		"other service":                          {"a [service=x]", "a [service=y]", false},
		"service is inherited":                   {"a [service=x]\n  b", "a [service=x]\n  b [service=y]", false},
		"service stated again":                   {"a [service=x]\n  b [service=y]\n    c", "a [service=x]\n  b [service=y]\n    c", true},
		"service not stated":                     {"a", "a [service=y]", true},
		"status not stated: ok":                  {"a", "a [status=Ok]", true},
		"status not stated: error":               {"a", "a [status=Error]", false},
		"status error wanted":                    {"a [status=Error]", "a [status=Error]", true},
		"status error wanted, unset":             {"a [status=Error]", "a", false},
		"status any":                             {"a [status=any]", "a [status=Error]", true},
		"status unset, ok":                       {"a [status=Unset]", "a [status=Ok]", false},
		"attribute":                              {"a [k=v]", "a [k=v]", true},
		"attribute of another value":             {"a [k=v]", "a [k=w]", false},
		"attribute absent":                       {"a [k=v]", "a", false},
		"attribute not stated":                   {"a", "a [k=v]", true},
		"expression":                             {"a [k=~v+]", "a [k=vvv]", true},
		"expression matches the whole":           {"a [k=~v+]", "a [k=xvvvx]", false},
		"expression of alternatives":             {"a [k=~v|w]", "a [k=wx]", false},
		"many different children":                {manyChildren(20), manyChildren(20), true},
		"many different children, one missing":   {manyChildren(20), manyChildren(19), false},
		"present":                                {"a [k]", "a [k=v]", true},
		"not present":                            {"a [k]", "a", false},
		"absent":                                 {"a [!k]", "a", true},
		"not absent":                             {"a [!k]", "a [k=v]", false},
		"attributes decide the assignment":       {"a\n  b [k]\n  b [k=1]", "a\n  b [k=1]\n  b [k=2]", true},
		"attributes leave a line without a span": {"a\n  b [k=1]\n  b [k=1]", "a\n  b [k=1]\n  b [k=2]", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := spantree.Match(parse(t, test.want), forest(t, test.got))
			if r.OK() != test.ok {
				t.Errorf("match is %t, want %t\n%s", r.OK(), test.ok, r.Explain())
			}
			if (len(r.Differences()) == 0) != test.ok || (r.Explain() == "") != test.ok {
				t.Errorf("match is %t, and there are %d differences:\n%s", r.OK(), len(r.Differences()), r.Explain())
			}
		})
	}
}

func TestMatchNil(t *testing.T) {
	if r := spantree.Match(nil, nil); !r.OK() {
		t.Errorf("nothing does not match nothing:\n%s", r.Explain())
	}
	if spantree.Match(nil, forest(t, "a")).OK() {
		t.Error("a span matches nothing")
	}
	if spantree.Match(parse(t, "a"), nil).OK() {
		t.Error("nothing matches a span")
	}
	var r *spantree.Result
	if r.OK() || r.Differences() != nil || r.Explain() == "" {
		t.Error("no result is taken for a match")
	}
}

// TestMatchDefects tests that a defect fails the match even if a line or "..." would accept the
// span.
func TestMatchDefects(t *testing.T) {
	orphan := spantree.Build([]spantree.Span{span("a", "", "a", 0), span("b", "gone", "b", 1)})
	cycle := spantree.Build([]spantree.Span{span("a", "", "a", 0), span("b", "b", "b", 1)})
	twin := spantree.Build([]spantree.Span{span("a", "", "a", 0), span("b", "a", "b", 1), span("b", "a", "b", 2)})
	tests := map[string]struct {
		want string
		got  *spantree.Forest
		say  string
	}{
		"orphan as a root":        {"a\nb", orphan, "its parent gone is missing"},
		"orphan as another root":  {"a\n...", orphan, "its parent gone is missing"},
		"orphan that is optional": {"a\n? b", orphan, "its parent gone is missing"},
		"cycle":                   {"a\nb", cycle, "it is its own ancestor"},
		"duplicate id":            {"a\n  * b", twin, "its id b is another span's too"},
		"duplicate id, others":    {"a\n  ...", twin, "its id b is another span's too"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := spantree.Match(parse(t, test.want), test.got)
			if r.OK() || !strings.Contains(r.Explain(), test.say) {
				t.Errorf("match is %t, explained as:\n%s\nwant a failure that says %q", r.OK(), r.Explain(), test.say)
			}
		})
	}
}

// TestMatchIsPolynomial uses trees for which a search of all assignments would not end.
func TestMatchIsPolynomial(t *testing.T) {
	tests := map[string]struct {
		want, got string
		ok        bool
	}{
		"many twins, one short": {"a\n" + strings.Repeat("  r\n    x\n", 40), "a\n" + strings.Repeat("  r\n    x\n", 39) + "  r\n    y\n", false},
		"many optional lines":   {"a\n" + strings.Repeat("  ? r\n    ? x\n", 60), "a\n" + strings.Repeat("  r\n    x\n", 61), false},
		"deep with repeats":     {deep("* r", 40) + deep("+ r", 40), deep("r", 40) + deep("r", 40), true},
		"deep repeats, no leaf": {deep("* r", 60), deep("r", 61), false},
		"many spans of one line": {
			"a\n  + r [k=~.*]\n  * r\n  ...", "a\n" + strings.Repeat("  r [k=v]\n", 3000), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			r := spantree.Match(parse(t, test.want), forest(t, test.got))
			if r.OK() != test.ok {
				t.Errorf("match is %t, want %t\n%.2000s", r.OK(), test.ok, r.Explain())
			}
			r.Explain()
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// deep returns a chain with two siblings per level.
func deep(line string, levels int) string {
	var b strings.Builder
	for i := range levels {
		indent := strings.Repeat("  ", i)
		b.WriteString(indent + line + "\n" + indent + line + "\n")
	}
	return b.String()
}

// TestMatchConcurrently uses a tree, a forest and a result in several goroutines.
func TestMatchConcurrently(t *testing.T) {
	want, got := parse(t, headTree), spantree.Build(headSpans())
	shared := spantree.Match(want, got)
	text := spantree.Match(want, got).Explain()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if own := spantree.Match(want, got); own.Explain() != text || shared.Explain() != text || len(shared.Differences()) != 4 {
				t.Errorf("explained differently:\n%s", own.Explain())
			}
		})
	}
	group.Wait()
}
