package spantree_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// diff returns an empty string if want and got are equal. Otherwise it returns the first different
// lines. The module has no requirements, so its tests have no library for this.
func diff(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	wanted, found := lines(want), lines(got)
	for i := range max(len(wanted), len(found)) {
		if w, g := line(wanted, i), line(found, i); w != g {
			return fmt.Sprintf("line %d:\n-%s\n+%s", i+1, w, g)
		}
	}
	return fmt.Sprintf("-%#v\n+%#v", want, got)
}

// lines returns text as it is and other values as JSON.
func lines(value any) []string {
	text, ok := value.(string)
	if !ok {
		encoded, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			return []string{fmt.Sprintf("%#v", value)}
		}
		text = string(encoded)
	}
	return strings.Split(text, "\n")
}

func line(all []string, i int) string {
	if i < len(all) {
		return fmt.Sprintf("%q", all[i])
	}
	return "(no line)"
}

// clearLines removes the line numbers from a tree.
func clearLines(tree *spantree.Tree) {
	var walk func([]*spantree.Expected)
	walk = func(all []*spantree.Expected) {
		for _, e := range all {
			e.Line = 0
			walk(e.Children)
		}
	}
	walk(tree.Roots)
}

func TestDiff(t *testing.T) {
	t.Parallel()
	tree := func(name string) *spantree.Tree {
		return &spantree.Tree{Roots: []*spantree.Expected{{Name: name}}}
	}
	for name, test := range map[string]struct {
		want, got any
		diff      string
	}{
		"equal text":      {"a\nb", "a\nb", ""},
		"another line":    {"a\nb", "a\nc", "line 2:\n-\"b\"\n+\"c\""},
		"a line less":     {"a\nb", "a", "line 2:\n-\"b\"\n+(no line)"},
		"equal trees":     {tree("a"), tree("a"), ""},
		"another tree":    {tree("a"), tree("b"), "line 4:\n-\"      \\\"Name\\\": \\\"a\\\",\"\n+\"      \\\"Name\\\": \\\"b\\\",\""},
		"same text":       {1, int64(1), "-1\n+1"},
		"nil or no items": {[]string(nil), []string{}, "line 1:\n-\"null\"\n+\"[]\""},
	} {
		if got := diff(test.want, test.got); got != test.diff {
			t.Errorf("%s: diff = %q, want %q", name, got, test.diff)
		}
	}
}
