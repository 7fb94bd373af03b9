package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

var values = map[string]string{"NAMESPACE": "ns", "HEAD": "head", "FIRST": "first", "SECOND": "second"}

// goldens returns all committed expected trees.
func goldens(t *testing.T) map[string]*spantree.Tree {
	t.Helper()
	files, err := filepath.Glob("../testdata/*.tree")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d expected trees, %v", len(files), err)
	}
	trees := map[string]*spantree.Tree{}
	for _, file := range files {
		tree, err := Golden(filepath.Base(file), values)
		if err != nil {
			t.Fatal(err)
		}
		trees[filepath.Base(file)] = tree
	}
	return trees
}

func TestGoldenWithoutAValue(t *testing.T) {
	if _, err := Golden("create.tree", map[string]string{"HEAD": "x"}); err == nil {
		t.Error("no error for an expected tree without its namespace")
	}
	if _, err := Golden("nothing.tree", values); !os.IsNotExist(err) && err == nil {
		t.Error("no error for an expected tree that does not exist")
	}
}

// TestGoldenMutations tests that any change of one span of the shortest matching trace fails the
// match. Only a span without children whose line repeats can occur twice.
func TestGoldenMutations(t *testing.T) {
	for name, tree := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			spans, repeated := shortest(tree)
			if r := spantree.Match(tree, spantree.Build(spans)); !r.OK() {
				t.Fatalf("the shortest trace does not pass:\n%s", r.Explain())
			}
			for i := range spans {
				mutations := map[string][]spantree.Span{
					"removed": slices.Delete(slices.Clone(spans), i, i+1),
					"with an unlisted child": append(slices.Clone(spans),
						spantree.Span{SpanID: "new", ParentSpanID: spans[i].SpanID, Name: "unlisted", Service: spans[i].Service}),
					"of another service": slices.Replace(slices.Clone(spans), i, i+1, changed(spans[i], func(s *spantree.Span) { s.Service = "x" })),
					"of another kind":    slices.Replace(slices.Clone(spans), i, i+1, changed(spans[i], func(s *spantree.Span) { s.Kind = "x" })),
					"failed": slices.Replace(slices.Clone(spans), i, i+1,
						changed(spans[i], func(s *spantree.Span) { s.Status.Code = spantree.StatusError })),
				}
				if !repeated[spans[i].SpanID] {
					mutations["duplicated"] = append(slices.Clone(spans), changed(spans[i], func(s *spantree.Span) { s.SpanID = "copy" }))
				}
				for _, parent := range append(slices.Clone(spans), spantree.Span{SpanID: "lost"}, spantree.Span{}) {
					if parent.SpanID != spans[i].ParentSpanID {
						mutations["below "+parent.SpanID] = slices.Replace(slices.Clone(spans), i, i+1,
							changed(spans[i], func(s *spantree.Span) { s.ParentSpanID = parent.SpanID }))
					}
				}
				for what, mutated := range mutations {
					if spantree.Match(tree, spantree.Build(mutated)).OK() {
						t.Errorf("span %s %s %s passes:\n%s", spans[i].SpanID, spans[i].Name, what, spantree.Build(mutated))
					}
				}
			}
		})
	}
}

func changed(s spantree.Span, change func(*spantree.Span)) spantree.Span {
	change(&s)
	return s
}

// shortest returns one span for every required line, and the identifiers of the spans that the tree
// accepts a second time.
func shortest(tree *spantree.Tree) ([]spantree.Span, map[string]bool) {
	var spans []spantree.Span
	repeated := map[string]bool{}
	var add func(lines []*spantree.Expected, parent, service string)
	add = func(lines []*spantree.Expected, parent, service string) {
		for _, line := range lines {
			if !needed(line) {
				continue
			}
			start := time.Unix(int64(len(spans)), 0)
			s := spantree.Span{
				SpanID: fmt.Sprint(len(spans) + 1), ParentSpanID: parent, Name: line.Name, Kind: line.Kind,
				Service: service, Start: start, End: start.Add(time.Second), Attributes: map[string]any{},
			}
			if line.Service != "" {
				s.Service = line.Service
			}
			for _, c := range line.Conditions {
				switch {
				case c.Subject == spantree.SubjectEvent && (c.Operator == spantree.Matches || c.Operator == spantree.Equals):
					s.Events = append(s.Events, spantree.Event{Name: strings.ReplaceAll(c.Value, ".*", "")})
				case c.Operator == spantree.Equals:
					s.Attributes[c.Key] = c.Value
				case c.Operator == spantree.Present:
					s.Attributes[c.Key] = "any"
				}
			}
			spans = append(spans, s)
			repeated[s.SpanID] = slices.ContainsFunc(lines, func(sibling *spantree.Expected) bool {
				return sibling.Name == line.Name && many(sibling) && !slices.ContainsFunc(sibling.Children, needed)
			})
			add(line.Children, s.SpanID, s.Service)
		}
	}
	add(tree.Roots, "", "")
	return spans, repeated
}

// needed reports whether a trace without a span for the line fails.
func needed(line *spantree.Expected) bool {
	least, _ := line.Repeat.Bounds()
	return least > 0
}

// many reports whether the line accepts several spans.
func many(line *spantree.Expected) bool {
	_, most := line.Repeat.Bounds()
	return most != 1
}
