package spantree_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

func TestParse(t *testing.T) {
	text := `
# A comment, and an empty line.
admit Head [SERVER service=demo status=Ok operator.object.kind=Head]   # the root

  reconcile Head
    # a comment at any depth
    + create ChildA [PRODUCER name=~"a b.*" uid !error.type "odd key"="" ]
  ? "quoted # [name]" [ "status"="x" ]
  ...   # others
* other root [status=any]
`
	want := &spantree.Tree{Roots: []*spantree.Expected{
		{
			Name: "admit Head", Kind: "SERVER", Service: "demo", Status: "Ok", Open: true, Line: 3,
			Conditions: []spantree.Condition{{Key: "operator.object.kind", Value: "Head"}},
			Children: []*spantree.Expected{
				{Name: "reconcile Head", Line: 5, Children: []*spantree.Expected{
					{Name: "create ChildA", Repeat: "+", Kind: "PRODUCER", Line: 7, Conditions: []spantree.Condition{
						{Key: "name", Operator: spantree.Matches, Value: "a b.*"},
						{Key: "uid", Operator: spantree.Present},
						{Key: "error.type", Operator: spantree.Absent},
						{Key: "odd key"},
					}},
				}},
				{Name: "quoted # [name]", Repeat: "?", Line: 8, Conditions: []spantree.Condition{{Key: "status", Value: "x"}}},
			},
		},
		{Name: "other root", Repeat: "*", Status: "any", Line: 10},
	}}
	got, err := spantree.Parse("x.tree", text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(spantree.Condition{})); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	printed := `admit Head [SERVER service=demo status=Ok operator.object.kind=Head]
  reconcile Head
    + create ChildA [PRODUCER name=~"a b.*" uid !error.type "odd key"=""]
  ? "quoted # [name]" ["status"=x]
  ...
* other root [status=any]
`
	if diff := cmp.Diff(printed, got.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"empty":                    {"\n# nothing\n", "x.tree:1:1: no expected span in the text"},
		"tab":                      {"a\n\tb", "x.tree:2:1: a tab in the indentation; a level is two spaces"},
		"odd indentation":          {"a\n   b", "x.tree:2:4: indented by 3 spaces; a level is two"},
		"first line indented":      {"  a", "x.tree:1:3: indented by 1 levels, but the line above allows 0 at most"},
		"two levels at once":       {"a\n    b", "x.tree:2:5: indented by 2 levels, but the line above allows 1 at most"},
		"below dots":               {"a\n  ...\n    b", "x.tree:3:5: indented by 2 levels, but the line above allows 1 at most"},
		"dots twice":               {"a\n  ...\n  ...", "x.tree:3:3: a second ... among the same children"},
		"dots with a mark":         {"? ...", "x.tree:1:3: a span named ... must be quoted, and ... takes neither mark nor conditions"},
		"mark without a space":     {"?a", "x.tree:1:2: no space after the mark ?"},
		"mark without a name":      {"a\n  *", "x.tree:2:4: no space after the mark *"},
		"two marks":                {"? * a", `x.tree:1:3: a name that starts with "*" must be quoted`},
		"no name":                  {"[SERVER]", `x.tree:1:1: a name that starts with "[" must be quoted`},
		"quote without an end":     {`"a`, "x.tree:1:1: a quoted string that does not end or has a wrong escape"},
		"text after a quoted name": {`"a" b`, `x.tree:1:5: unexpected "b"`},
		"bracket without an end":   {"a [SERVER", "x.tree:1:10: no ] at the end of the conditions"},
		"text after the bracket":   {"a [SERVER] b", `x.tree:1:12: unexpected "b"`},
		"two kinds":                {"a [SERVER CLIENT]", "x.tree:1:11: a second condition on kind"},
		"kind with a value":        {"a [SERVER=x]", "x.tree:1:4: a kind stands alone; an attribute of that name must be quoted"},
		"attribute twice":          {"a [x=1 x=2]", "x.tree:1:8: a second condition on attribute x"},
		"service without a value":  {"a [service]", "x.tree:1:4: service needs a value, as in service=VALUE; an attribute of that name must be quoted"},
		"service by expression":    {"a [service=~x]", "x.tree:1:4: service needs a value, as in service=VALUE; an attribute of that name must be quoted"},
		"empty service":            {`a [service=""]`, "x.tree:1:4: an empty service"},
		"unknown status":           {"a [status=Bad]", `x.tree:1:4: unknown status "Bad"; there are Unset, Ok, Error and any`},
		"word kept for later":      {"a [links=1]", "x.tree:1:4: the word links is kept for later; an attribute of that name must be quoted"},
		"no key":                   {"a [=x]", `x.tree:1:4: a key or value is missing; an empty one is written ""`},
		"no value":                 {"a [x=]", `x.tree:1:6: a key or value is missing; an empty one is written ""`},
		"quote inside a word":      {`a [x=a"b"]`, "x.tree:1:6: a quote inside a word; quote the whole word"},
		"quotes side by side":      {`a ["x""y"]`, `x.tree:1:7: unexpected "\"" after a condition`},
		"regular expression":       {"a [x=~(]", "x.tree:1:4: compiling the regular expression of x: error parsing regexp: missing closing ): `(`"},
		"unbalanced in a group":    {"a [x=~a)(b]", "x.tree:1:4: compiling the regular expression of x: error parsing regexp: unexpected ): `a)(b`"},
		"control character":        {"a\x01b", "x.tree:1:1: a name with control or invalid characters must be quoted"},
		"too deep":                 {strings.Repeat("  ", 1001) + "a", "x.tree:1:2003: more than 1000 levels"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := spantree.Parse("x.tree", test.text)
			var parseError *spantree.ParseError
			if !errors.As(err, &parseError) || err.Error() != test.want {
				t.Errorf("error is %v (%T), want %s", err, err, test.want)
			}
		})
	}
}

// Printing what was parsed, and parsing that again, changes nothing any more.
func FuzzPrintParse(f *testing.F) {
	for _, seed := range []string{
		"a", "a [SERVER service=x]\n  ? b [k=~v !w]\n  ...\n* c", `"..." ["service"="a b"]`, "+ a b  c [x=\"\\n\"] # end",
		"... [", "a [x=]]", "é \"x\" [k=\xff]", "a\n...", "a [#=#] #", "a[b] [c]",
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
		ignore := []cmp.Option{cmpopts.IgnoreUnexported(spantree.Condition{}), cmpopts.IgnoreFields(spantree.Expected{}, "Line")}
		if diff := cmp.Diff(tree, again, ignore...); diff != "" {
			t.Fatalf("another tree (-first +second):\n%s\ntext: %q\nprinted: %q", diff, text, printed)
		}
		if second := again.String(); second != printed {
			t.Fatalf("printed %q, then %q", printed, second)
		}
	})
}
