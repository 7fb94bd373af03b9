package spantree_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

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
	if diff := diff(want, got); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	printed := `admit Head [SERVER service=demo status=Ok operator.object.kind=Head]
  reconcile Head
    + create ChildA [PRODUCER name=~"a b.*" uid !error.type "odd key"=""]
  ? "quoted # [name]" ["status"=x]
  ...
* other root [status=any]
`
	if diff := diff(printed, got.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"empty":                    {"\n# nothing\n", "x.tree:1:1: the text has no expected span"},
		"tab":                      {"a\n\tb", "x.tree:2:1: a tab in the indentation; use two spaces per level"},
		"odd indentation":          {"a\n   b", "x.tree:2:4: indented by 3 spaces; use two per level"},
		"first line indented":      {"  a", "x.tree:1:3: indented by 1 levels, but the line above allows 0 at most"},
		"two levels at once":       {"a\n    b", "x.tree:2:5: indented by 2 levels, but the line above allows 1 at most"},
		"below dots":               {"a\n  ...\n    b", "x.tree:3:5: indented by 2 levels, but the line above allows 1 at most"},
		"dots twice":               {"a\n  ...\n  ...", "x.tree:3:3: a second ... among the same children"},
		"dots with a mark":         {"? ...", "x.tree:1:3: ... has neither a mark nor conditions; quote the name of a span ..."},
		"mark without a space":     {"?a", "x.tree:1:2: missing space after the mark ?"},
		"mark without a name":      {"a\n  *", "x.tree:2:4: missing space after the mark *"},
		"two marks":                {"? * a", `x.tree:1:3: quote a name that starts with "*"`},
		"no name":                  {"[SERVER]", `x.tree:1:1: quote a name that starts with "["`},
		"quote without an end":     {`"a`, "x.tree:1:1: unterminated string or invalid escape sequence"},
		"text after a quoted name": {`"a" b`, `x.tree:1:5: unexpected "b" after the conditions; start a comment with #`},
		"bracket without an end":   {"a [SERVER", "x.tree:1:10: missing ] at the end of the conditions"},
		"text after the bracket":   {"a [SERVER] b", `x.tree:1:12: unexpected "b" after the conditions; start a comment with #`},
		"two kinds":                {"a [SERVER CLIENT]", "x.tree:1:11: duplicate condition on kind"},
		"kind with a value":        {"a [SERVER=x]", "x.tree:1:4: a kind has no value; quote an attribute of that name"},
		"attribute twice":          {"a [x=1 x=2]", "x.tree:1:8: duplicate condition on attribute x"},
		"service without a value":  {"a [service]", "x.tree:1:4: service needs a value, as in service=VALUE; quote an attribute of that name"},
		"service by expression":    {"a [service=~x]", "x.tree:1:4: service needs a value, as in service=VALUE; quote an attribute of that name"},
		"empty service":            {`a [service=""]`, "x.tree:1:4: an empty service"},
		"unknown status":           {"a [status=Bad]", `x.tree:1:4: unknown status "Bad"; use Unset, Ok, Error or any`},
		"no key":                   {"a [=x]", `x.tree:1:4: missing key; write "" for an empty key`},
		"no value":                 {"a [x=]", `x.tree:1:6: missing value; write "" for an empty value`},
		"unknown matcher":          {"a [k~=x]", "x.tree:1:4: unknown matcher ~=; k supports = =~; quote a value that starts with one of =~!<>"},
		"unequal":                  {"a [k!=x]", "x.tree:1:4: unknown matcher !=; k supports = =~; quote a value that starts with one of =~!<>"},
		"comparison of a value":    {"a [k>=5]", "x.tree:1:4: unknown matcher >=; k supports = =~; quote a value that starts with one of =~!<>"},
		"absent with a value":      {"a [!k=x]", "x.tree:1:4: !k has no value; write only !k"},
		"only duration":            {"a [duration]", "x.tree:1:4: duration needs a value, as in duration>=VALUE; quote an attribute of that name"},
		"no duration":              {"a [!duration]", "x.tree:1:4: duration needs a value, as in duration>=VALUE; quote an attribute of that name"},
		"duration without a unit":  {"a [duration<2]", `x.tree:1:4: invalid duration "2"; write it as 10ms, 1.5s or 2m30s`},
		"duration by expression":   {"a [duration=~2s]", "x.tree:1:4: unknown matcher =~; duration supports = < <= > >=; quote a value that starts with one of =~!<>"},
		"two equal bounds":         {"a [duration<2s duration<2000ms]", "x.tree:1:16: duplicate condition on duration <2s"},
		"link to an id":            {"a [link=ab]", "x.tree:1:4: link and !link have no value; quote an attribute of that name"},
		"bounds without an end":    {"{1 a", "x.tree:1:1: missing } after the bounds"},
		"bounds of nothing":        {"{0} a", "x.tree:1:1: invalid bounds {0}; write them as {0,3}, {2} or {2,}"},
		"bounds in disorder":       {"a\n  {3,2} b", "x.tree:2:3: invalid bounds {3,2}; write them as {0,3}, {2} or {2,}"},
		"bounds of letters":        {"{a} b", "x.tree:1:1: invalid bounds {a}; write them as {0,3}, {2} or {2,}"},
		"bounds without a space":   {"{1}a", "x.tree:1:4: missing space after the mark {1}"},
		"two budgets":              {"(budget spans<9)\n(budget spans<8)\na", "x.tree:2:9: a second budget"},
		"budget without a limit":   {"(budget service=a)\na", "x.tree:1:19: a budget without a limit, as in (budget writes<=6)"},
		"budget of a line":         {"a\n  (budget spans<9)", "x.tree:2:3: quote a span name that starts with (budget; a budget is a line without indentation"},
		"budget without an end":    {"(budget spans<9", "x.tree:1:16: missing ) at the end of the conditions"},
		"unknown count":            {"(budget x<9)\na", `x.tree:1:9: unknown count "x"; counts are service=NAME, duration, reconciles, useful, failed, requeues, writes, unchanged, conflicts, already_exists, stale_reads, reads, webhooks, errors, spans, observed`},
		"count without a limit":    {"(budget spans)\na", "x.tree:1:9: spans needs a limit, as in spans<=6"},
		"count of no number":       {"(budget spans<2s)\na", `x.tree:1:9: invalid number "2s" of spans; use an integer >= 0`},
		"text after a budget":      {"(budget spans<2) x\na", `x.tree:1:18: unexpected "x" after the conditions; start a comment with #`},
		"only event attributes":    {"a [event(k=v)]", "x.tree:1:4: attributes of an event without a name; add a name"},
		"event without an end":     {"a [event=x(k=v]", `x.tree:1:15: unexpected "]" after a condition, want a space or )`},
		"event in an event":        {"a [event=x(k=(y)]", `x.tree:1:14: missing value; write "" for an empty value`},
		"event without a name":     {`a [!event=""]`, "x.tree:1:4: missing name of the event; write !event for no event at all"},
		"tab after a name":         {"a\t[SERVER]", "x.tree:1:2: unexpected tab; use spaces, or quote the name"},
		"tab between conditions":   {"a [k\tSERVER]", "x.tree:1:5: unexpected tab; separate conditions with spaces"},
		"tab after spaces":         {"a\n  \tb", "x.tree:2:3: a tab in the indentation; use two spaces per level"},
		"error in a CRLF text":     {"a\r\n  b [\r\n", "x.tree:2:6: missing ] at the end of the conditions"},
		"carriage return inside":   {"a\rb", "x.tree:1:1: the name has control or invalid characters; quote it"},
		"column in bytes":          {"é [k=v x=]", `x.tree:1:11: missing value; write "" for an empty value`},
		"invalid characters":       {"a [k=\xff]", "x.tree:1:6: control or invalid characters; quote the word"},
		"a binary file":            {"\x00\x01\x02", "x.tree:1:1: the name has control or invalid characters; quote it"},
		"quote inside a word":      {`a [x=a"b"]`, "x.tree:1:6: unexpected quote inside a word; quote the whole word"},
		"quotes side by side":      {`a ["x""y"]`, `x.tree:1:7: unexpected "\"" after a condition, want a space or ]`},
		"regular expression":       {"a [x=~(]", "x.tree:1:4: compiling the regular expression of x: error parsing regexp: missing closing ): `(`"},
		"unbalanced in a group":    {"a [x=~a)(b]", "x.tree:1:4: compiling the regular expression of x: error parsing regexp: unexpected ): `a)(b`"},
		"control character":        {"a\x01b", "x.tree:1:1: the name has control or invalid characters; quote it"},
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

// TestParseBudgetAlone: a text that has only a budget expects no particular span.
func TestParseBudgetAlone(t *testing.T) {
	forest := spantree.Build([]spantree.Span{{TraceID: "1", SpanID: "1", Name: "a"}, {TraceID: "1", SpanID: "2", ParentSpanID: "1", Name: "b"}})
	for text, ok := range map[string]bool{"(budget spans<3)": true, "# few\n(budget spans<2)\n": false} {
		tree, err := spantree.Parse("x.tree", text)
		if err != nil {
			t.Fatalf("Parse(%q): %v", text, err)
		}
		if result := spantree.Match(tree, forest); result.OK() != ok || len(result.Differences()) > 1 {
			t.Errorf("Match of %q = %v, want OK: %t", text, result.Differences(), ok)
		}
	}
}

// TestParseConditions parses and prints conditions, bounds and budgets.
func TestParseConditions(t *testing.T) {
	text := "\uFEFF(budget service=demo writes<=6 unchanged=0 duration<30s)  # generous\r\n" +
		"admit Head [duration<2s duration>=1ms !link !event]\r\n" +
		"\t# a comment may be indented by tabs\r\n" +
		"{0,3} admit Head [SERVER link]\t \r\n" +
		"  {2,2} reconcile [event=\"Ready: False→True\"(reason=~Min.* !x \"y z\"=\"(\") event=~exc.* !event=no event]\r\n" +
		"  {1,} \"(budget)\" [@k \"a<b\" k=a(b) \"link\"=x]\r\n"
	event := func(operator spantree.Operator, name string, attributes ...spantree.Condition) spantree.Condition {
		return spantree.Condition{Subject: spantree.SubjectEvent, Operator: operator, Value: name, Attributes: attributes}
	}
	duration := func(operator spantree.Operator, value string) spantree.Condition {
		return spantree.Condition{Subject: spantree.SubjectDuration, Operator: operator, Value: value}
	}
	want := &spantree.Tree{
		Budget: spantree.Budget{Service: "demo", Limits: []spantree.Limit{
			{Count: spantree.CountWrites, Operator: spantree.AtMost, Value: 6}, {Count: spantree.CountUnchanged}, {Count: spantree.CountDuration, Operator: spantree.Below, Value: 30_000_000_000},
		}},
		Roots: []*spantree.Expected{
			{Name: "admit Head", Line: 2, Conditions: []spantree.Condition{
				duration(spantree.Below, "2s"), duration(spantree.AtLeast, "1ms"), {Subject: spantree.SubjectLink, Operator: spantree.Absent}, event(spantree.Absent, ""),
			}},
			{Name: "admit Head", Kind: "SERVER", Repeat: spantree.Between(0, 3), Line: 4, Conditions: []spantree.Condition{{Subject: spantree.SubjectLink, Operator: spantree.Present}}, Children: []*spantree.Expected{
				{Name: "reconcile", Repeat: spantree.Between(2, 2), Line: 5, Conditions: []spantree.Condition{
					event(spantree.Equals, "Ready: False→True", spantree.Condition{Key: "reason", Operator: spantree.Matches, Value: "Min.*"},
						spantree.Condition{Key: "x", Operator: spantree.Absent}, spantree.Condition{Key: "y z", Value: "("}),
					event(spantree.Matches, "exc.*"), event(spantree.Absent, "no"), event(spantree.Present, ""),
				}},
				{Name: "(budget)", Repeat: spantree.Between(1, -1), Line: 6, Conditions: []spantree.Condition{
					{Key: "@k", Operator: spantree.Present}, {Key: "a<b", Operator: spantree.Present}, {Key: "k", Value: "a(b)"}, {Key: "link", Value: "x"},
				}},
			}},
		},
	}
	got, err := spantree.Parse("x.tree", text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := diff(want, got); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	printed := `(budget service=demo writes<=6 unchanged=0 duration<30s)
admit Head [duration<2s duration>=1ms !link !event]
{0,3} admit Head [SERVER link]
  {2} reconcile [event="Ready: False→True"(reason=~Min.* !x "y z"="(") event=~exc.* !event=no event]
  {1,} "(budget)" [@k "a<b" k=a(b) "link"=x]
`
	if diff := diff(printed, got.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

// TestParseErrorIsShort tests that an error in a line of megabytes does not quote all of it.
func TestParseErrorIsShort(t *testing.T) {
	_, err := spantree.Parse("x.tree", `"a" `+strings.Repeat("é", 3<<20))
	if err == nil || len(err.Error()) > 400 || !strings.HasPrefix(err.Error(), "x.tree:1:5: unexpected") {
		t.Errorf("error of %d bytes: %.100v", len(fmt.Sprint(err)), err)
	}
}

// TestDocumentation parses the example in the package's documentation.
func TestDocumentation(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "//\t# The change of one object.\n")
	example, _, found := strings.Cut(rest, "//\n// A line is")
	example = strings.ReplaceAll(strings.ReplaceAll(example, "//\t", ""), "//\n", "\n")
	tree, err := spantree.Parse("doc.go", example)
	if err != nil || !found || len(tree.Roots) != 1 || len(tree.Roots[0].Children) != 4 || !tree.Roots[0].Open || len(tree.Budget.Limits) != 3 {
		t.Errorf("the example is %v, error %v", tree, err)
	}
}

// TestParseLargeFile reads a valid file of 5 MB, prints it, and reads it again.
func TestParseLargeFile(t *testing.T) {
	const size = 5 << 20
	line := "  reconcile Head [CONSUMER operator.object.kind=Head operator.object.name=$HEAD]\n"
	text := "admit Head [SERVER]\n" + strings.Repeat(line, size/len(line)+1)
	tree, err := spantree.Parse("large.tree", text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := spantree.Parse("printed.tree", tree.String())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(again.Roots[0].Children), size/len(line)+1; got != want {
		t.Errorf("%d lines came back of %d", got, want)
	}
}
