package spantree_test

import (
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

func TestFill(t *testing.T) {
	tree := parse(t, `# $UNUSED in a comment
admit $KIND [service=${NAME}_x k=$NAME-child e=~$NAME.*$ p=~a$ d=$$NAME c="$5 $" event="$KIND done"(k=$NAME)]
  plain [$NAME]`)
	before := tree.String()
	filled, err := tree.Fill(map[string]string{"KIND": "Head [x]", "NAME": "a.b c"})
	if err != nil {
		t.Fatal(err)
	}
	want := `"admit Head [x]" [service="a.b c_x" k="a.b c-child" e=~"a\\.b c.*$" p=~a$ d=$NAME c="$5 $" event="Head [x] done"(k="a.b c")]
  plain [$NAME]
`
	if diff := diff(want, filled.String()); diff != "" {
		t.Errorf("filled in (-want +got):\n%s", diff)
	}
	if tree.String() != before {
		t.Errorf("Fill changed the tree itself:\n%s", tree)
	}
}

func TestFillErrors(t *testing.T) {
	tree := parse(t, "a [k=$X]\n  b\n  c [event=e(k=$Y)]")
	_, err := tree.Fill(nil)
	want := "line 1: no value for the variable $X\nline 3: no value for the variable $Y"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestVariablesOfRecordings tests that values that are whole words become variables, the longest
// value first, and that Fill returns the original text.
func TestVariablesOfRecordings(t *testing.T) {
	values := map[string]string{"HEAD": "web", "CHILD": "web-child", "N": "1", "DOLLAR": "a$"}
	for value, want := range map[string]string{
		"web": "$HEAD", "web-child": "$CHILD", "web-child-a": "$CHILD-a", "web2": "web2", "cobweb": "cobweb", "a/web/b": "a/$HEAD/b",
		"web_x": "${HEAD}_x", "1": "$N", "v1": "v1", "11": "11", "costs $HEAD": "costs $$HEAD", "a$": "$DOLLAR", "wéb é1": "wéb é1", "": "",
	} {
		s := span("1", "", "a", 0)
		s.Attributes = map[string]any{"k": value}
		got := spantree.Build([]spantree.Span{s})
		tree, err := spantree.Record(got, spantree.RecordOptions{Variables: values, Attributes: []spantree.Rule{{Pattern: "k", Keep: spantree.KeepValue}}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := diff(spantree.Condition{Key: "k", Value: want}, tree.Roots[0].Conditions[0]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
		filled, err := tree.Fill(values)
		if err != nil || !spantree.Match(filled, got).OK() {
			t.Errorf("%q: Fill = %v, %v", value, filled, err)
		}
	}
}
