package tracing

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

var update = flag.Bool("update", false, "rewrite docs/spans.md")

// spansDocument is the document that TestSpansDocument generates and checks.
const spansDocument = "../../docs/spans.md"

// actions describe the spans. TestSpansDocument fails if an action was not recorded, or a recorded
// action is missing here.
var actions = map[string]string{
	"admit":                "A webhook admits a user's change of the desired state. The span ends before the API server receives the webhook's response.",
	"reconcile":            "A reconcile that wrote something, failed, or had a span of the reconciler's own. Its start time is the start of the reconcile.",
	"converge":             "From the start of a change until the status write that says Ready=True. Once per generation, for kinds of `WithConverge`.",
	"create":               "A create.",
	"update":               "An update of the whole object.",
	"patch":                "A merge, strategic merge or JSON patch.",
	"apply":                "A server-side apply, by `Apply` or by `Patch`.",
	"add_finalizer":        "A write of metadata that adds finalizers.",
	"remove_finalizer":     "A write of metadata that removes finalizers, and so may let the API server delete the object.",
	"get":                  "A read of an object, with `WithReads`.",
	"list":                 "A read of a list, with `WithReads`. The Kind is the kind of the items.",
	"delete":               "A delete.",
	"delete_all":           "A delete of a collection.",
	"update_status":        "Any write of the status: update, patch or apply.",
	"{verb}_{subresource}": "A write of another sub-resource, for example `update_scale`, `create_eviction`; with `WithReads` also `get_scale`.",
}

// documented holds the recorded properties of one action.
type documented struct {
	kinds  map[trace.SpanKind]bool
	spans  int
	seen   map[attribute.Key]int
	events map[string]bool
	// onEvents are the attributes of events.
	onEvents map[attribute.Key]bool
	links    bool
}

// TestSpansDocument checks docs/spans.md against the code. Spans, their kinds, attributes and
// events come from recordings. The descriptions of attributes and bounds come from their comments.
func TestSpansDocument(t *testing.T) {
	facts := map[string]*documented{}
	for _, s := range recordEverything(t) {
		action := actionOf(s.Name)
		if _, ok := actions[action]; !ok {
			t.Errorf("span %q has no description in actions", s.Name)
		}
		facts[action] = facts[action].with(s)
	}
	for action := range actions {
		if facts[action] == nil {
			t.Errorf("no span %q was recorded", action)
		}
	}
	if t.Failed() {
		return
	}
	want := spansMarkdown(t, facts)
	if *update {
		if err := os.WriteFile(spansDocument, []byte(want), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(spansDocument)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is out of date: run `go test -run TestSpansDocument -update` in operator/tracing", spansDocument)
	}
}

var otherSubresource = regexp.MustCompile(`^(get|create|update|patch|apply)_[a-z]+$`)

func actionOf(name string) string {
	action, _, _ := strings.Cut(name, " ")
	if _, known := actions[action]; !known && otherSubresource.MatchString(action) {
		return "{verb}_{subresource}"
	}
	return action
}

var conditionChange = regexp.MustCompile(`^\w+: \w+→\w+$`)

func (d *documented) with(s tracingtest.Span) *documented {
	if d == nil {
		d = &documented{kinds: map[trace.SpanKind]bool{}, seen: map[attribute.Key]int{}, events: map[string]bool{}, onEvents: map[attribute.Key]bool{}}
	}
	d.kinds[s.Kind] = true
	d.spans++
	d.links = d.links || len(s.Links) > 0
	for _, a := range s.Attributes {
		d.seen[a.Key]++
	}
	for _, e := range s.Events {
		name := e.Name
		if conditionChange.MatchString(name) {
			name = "{Condition}: {old}→{new}"
		}
		d.events[name] = true
		for _, a := range e.Attributes {
			d.onEvents[a.Key] = true
		}
	}
	return d
}

// order sorts actions as in the document, in the order in which they happen.
func order(actions []string) []string {
	first := []string{"admit", "reconcile", "converge", "create", "update", "patch", "apply", "update_status", "add_finalizer", "remove_finalizer"}
	rank := func(a string) int {
		if i := slices.Index(first, a); i >= 0 {
			return i
		}
		return len(first)
	}
	slices.SortFunc(actions, func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) })
	return actions
}

func spansMarkdown(t *testing.T, facts map[string]*documented) string {
	t.Helper()
	attributes, bounds := constantsOf(t, "attributes.go"), constantsOf(t, "limits.go")
	var b strings.Builder
	b.WriteString(`# Spans

The spans of package ` + "`operator/tracing`" + `. TestSpansDocument generates this file from the code of the package; do not edit it.

## Spans

A span's name is ` + "`{action} {Kind}`" + `, for example ` + "`create ChildA`" + `. Names of objects are attributes, never parts of a span's name.
A write is a PRODUCER if it put its context on the object, so that reconciles of the object continue the trace. Other writes are
a CLIENT.

| action | kinds | what it is |
|---|---|---|
`)
	names := order(slices.Collect(maps.Keys(facts)))
	for _, action := range names {
		var kinds []string
		for k := range facts[action].kinds {
			kinds = append(kinds, strings.ToUpper(k.String()))
		}
		slices.Sort(kinds)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", action, strings.Join(kinds, ", "), actions[action])
	}
	b.WriteString("\nSpans that may have links: ")
	var linked []string
	for _, action := range names {
		if facts[action].links {
			linked = append(linked, "`"+action+"`")
		}
	}
	b.WriteString(strings.Join(linked, ", ") + ".\n\n## Attributes\n\nIf a value is unknown, its attribute is absent, never empty or zero.\n\n| attribute | on | meaning |\n|---|---|---|\n")
	for _, c := range attributes {
		var on []string
		for _, action := range names {
			if facts[action].seen[attribute.Key(c.value)] > 0 {
				on = append(on, "`"+action+"`")
			}
			if facts[action].onEvents[attribute.Key(c.value)] {
				on = append(on, "events of `"+action+"`")
			}
		}
		if len(on) == 0 {
			t.Errorf("no recorded span has %s", c.value)
		}
		where := strings.Join(on, ", ")
		if len(on) == len(names) {
			where = "all"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.value, where, c.text)
	}
	b.WriteString("\n## Events\n\n| event | on |\n|---|---|\n")
	events := map[string][]string{}
	for _, action := range names {
		for e := range facts[action].events {
			events[e] = append(events[e], "`"+action+"`")
		}
	}
	for _, e := range slices.Sorted(maps.Keys(events)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e, strings.Join(events[e], ", "))
	}
	b.WriteString("\n## Bounds\n\nEverything that is kept is bounded. Nothing that happens at a bound fails or delays the operator.\n\n| bound | value | meaning |\n|---|---|---|\n")
	for _, c := range bounds {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.name, c.value, c.text)
	}
	return b.String()
}

// constant is a constant of the package. text is its comment as one line of Markdown.
type constant struct{ name, value, text string }

// constantsOf reads the constants of a file in order. For an attribute's key, the value is the
// key's name.
func constantsOf(t *testing.T, file string) []constant {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var out []constant
	for _, decl := range parsed.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			s := spec.(*ast.ValueSpec) //nolint:forcetypeassert // a const declaration has no other specs
			text := s.Doc.Text()
			if text == "" {
				text = group.Doc.Text()
			}
			out = append(out, constant{s.Names[0].Name, literal(t, s.Values[0]), oneLine(s.Names[0].Name, text)})
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s has no constants", file)
	}
	return out
}

// literal returns a constant's value as in the document.
func literal(t *testing.T, e ast.Expr) string {
	t.Helper()
	switch v := e.(type) {
	case *ast.CallExpr: // a conversion
		return literal(t, v.Args[0])
	case *ast.BasicLit:
		if s, err := strconv.Unquote(v.Value); err == nil {
			return s
		}
		return v.Value
	case *ast.SelectorExpr:
		return strings.ToLower(v.Sel.Name)
	case *ast.BinaryExpr:
		return literal(t, v.X) + " " + v.Op.String() + " " + literal(t, v.Y)
	default:
		t.Fatalf("reading a constant: unsupported expression %T", e)
		return ""
	}
}

// oneLine converts a doc comment to one line for a table cell, without the name at its start.
func oneLine(name, text string) string {
	var p comment.Parser
	printer := comment.Printer{TextWidth: -1}
	line := strings.Join(strings.Fields(string(printer.Text(p.Parse(text)))), " ")
	line = strings.TrimPrefix(strings.TrimPrefix(line, name), " is ")
	line = strings.ReplaceAll(strings.TrimSpace(line), "|", "\\|")
	if line == "" {
		return line
	}
	return strings.ToUpper(line[:1]) + line[1:]
}
