package project

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/suggest"
)

// Error is a mistake in a sandbox.yaml. Its message is one line that starts with the position, like
// the messages of compilers.
type Error struct {
	// Path is the path of the file.
	Path string
	// Line and Column start at 1; zero means unknown.
	Line, Column int
	// Field is the field with the mistake, for example "operator.manifests[0]"; empty for the whole
	// file.
	Field string
	// Problem describes the mistake and, if known, a remedy.
	Problem string
}

// Error returns PATH:LINE:COLUMN: FIELD: PROBLEM.
func (e *Error) Error() string {
	place := e.Path
	for _, number := range []int{e.Line, e.Column} {
		if number > 0 {
			place += fmt.Sprintf(":%d", number)
		}
	}
	if e.Field != "" {
		place += ": " + e.Field
	}
	return place + ": " + e.Problem
}

// decoder decodes one file and records the positions of its fields.
//
// goccy/go-yaml v1.19.2 in strict mode does not replace it. Of 19 kinds of mistakes it reports 12
// with a position. It accepts four, since it converts numbers and booleans to text: a variable with
// the value 010 becomes 8, and 1.10 becomes 1.1. Its messages do not name the path of the field, the
// fields that exist or the closest one, and the checks of values would still need positions.
type decoder struct {
	path   string
	places places
	wrong  []*Error
}

// places are the nodes of the values of fields.
type places map[string]*yaml.Node

// of returns the node of a field or, if the field is missing, of its nearest existing parent.
func (p places) of(field string) *yaml.Node {
	for p[field] == nil && field != "" {
		field = field[:max(strings.LastIndexAny(field, ".["), 0)]
	}
	if at := p[field]; at != nil {
		return at
	}
	return &yaml.Node{}
}

// decode decodes a file strictly. It returns an error for unknown fields, wrong types and duplicate
// fields: all mistakes, one in a line.
func decode(path string, data []byte) (*File, *decoder, error) {
	d := &decoder{path: path, places: places{}}
	documents := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	if err := documents.Decode(&root); errors.Is(err, io.EOF) {
		return nil, nil, &Error{Path: path, Problem: "empty file; run " + hint.Run("init") + " to create it, or see the example in docs/sandbox-yaml.md"}
	} else if err != nil {
		return nil, nil, d.syntax(err)
	}
	if err := documents.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, nil, &Error{Path: path, Line: second.Line, Problem: "second document; the file must have only one"}
	}
	top := root.Content[0]
	// Check the version first, because other versions can have other fields.
	if err := d.version(top); err != nil {
		return nil, nil, err
	}
	d.check(top, reflect.TypeFor[File](), "")
	if err := d.all(); err != nil {
		return nil, nil, err
	}
	file := &File{}
	if err := top.Decode(file); err != nil {
		return nil, nil, d.syntax(err)
	}
	return file, d, nil
}

// syntax converts an error of the YAML library, which already contains the line: "yaml: line 3: …".
func (d *decoder) syntax(err error) error {
	text := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: ")
	e := &Error{Path: d.path, Problem: "invalid YAML: " + text}
	if n, _ := fmt.Sscanf(text, "line %d: ", &e.Line); n == 1 {
		_, text, _ = strings.Cut(text, ": ")
		e.Problem = "invalid YAML: " + text
	}
	return e
}

func (d *decoder) version(top *yaml.Node) error {
	for _, want := range []struct{ key, value string }{{"apiVersion", APIVersion}, {"kind", Kind}} {
		found := &yaml.Node{}
		for i := 0; top.Kind == yaml.MappingNode && i < len(top.Content); i += 2 {
			if top.Content[i].Value == want.key {
				found = top.Content[i+1]
			}
		}
		switch found.Value {
		case want.value:
		case "":
			return &Error{Path: d.path, Line: max(found.Line, top.Line), Field: want.key, Problem: "required; set " + want.key + ": " + want.value}
		default:
			return &Error{Path: d.path, Line: found.Line, Column: found.Column, Field: want.key,
				Problem: fmt.Sprintf("unsupported value %q; this program supports %s", found.Value, want.value)}
		}
	}
	return nil
}

func (d *decoder) fail(at *yaml.Node, field, format string, args ...any) {
	d.wrong = append(d.wrong, &Error{Path: d.path, Line: at.Line, Column: at.Column, Field: field, Problem: fmt.Sprintf(format, args...)})
}

// failField records a mistake at a field or, if the field is missing, at its nearest existing
// parent.
func (d *decoder) failField(field, format string, args ...any) {
	d.fail(d.places.of(field), field, format, args...)
}

// all returns the recorded mistakes in the order of their positions, or nil.
func (d *decoder) all() error {
	slices.SortStableFunc(d.wrong, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var all []error
	for _, e := range d.wrong {
		all = append(all, e)
	}
	return errors.Join(all...)
}

// check compares a value with its required type, and records the positions of fields.
func (d *decoder) check(node *yaml.Node, want reflect.Type, field string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	d.places[field] = node
	if node.Tag == "!!null" {
		return // Equivalent to a missing field.
	}
	switch want.Kind() {
	case reflect.Pointer:
		d.check(node, want.Elem(), field)
	case reflect.Struct:
		d.checkFields(node, want, field)
	case reflect.Map:
		d.eachKey(node, field, func(key, value *yaml.Node) { d.check(value, want.Elem(), field+"."+key.Value) })
	case reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			d.fail(node, field, "want a list, found %s", describe(node))
			return
		}
		for i, item := range node.Content {
			d.check(item, want.Elem(), fmt.Sprintf("%s[%d]", field, i))
		}
	default:
		switch {
		case node.Kind != yaml.ScalarNode:
			d.fail(node, field, "want text, found %s", describe(node))
		case node.Tag != "!!str":
			d.fail(node, field, "want text, found %s; put %s in quotes", describe(node), node.Value)
		}
	}
}

func (d *decoder) checkFields(node *yaml.Node, want reflect.Type, field string) {
	types := map[string]reflect.Type{}
	for i := range want.NumField() {
		types[want.Field(i).Tag.Get("yaml")] = want.Field(i).Type
	}
	d.eachKey(node, field, func(key, value *yaml.Node) {
		name := strings.TrimPrefix(field+"."+key.Value, ".")
		if known, ok := types[key.Value]; ok {
			d.check(value, known, name)
			return
		}
		names := slices.Sorted(maps.Keys(types))
		d.fail(key, name, "unknown field%s", cmp.Or(suggest.Hint(key.Value, names), "; want one of "+strings.Join(names, ", ")))
	})
}

func (d *decoder) eachKey(node *yaml.Node, field string, visit func(key, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		d.fail(node, field, "want fields, found %s", describe(node))
		return
	}
	lines := map[string]int{}
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		if line := lines[key.Value]; line > 0 {
			d.fail(key, strings.TrimPrefix(field+"."+key.Value, "."), "duplicate field, first set in line %d", line)
			continue
		}
		lines[key.Value] = key.Line
		visit(key, node.Content[i+1])
	}
}

// described has words for kinds and tags of nodes.
var described = map[any]string{
	yaml.MappingNode: "fields", yaml.SequenceNode: "a list",
	"!!str": "text", "!!int": "a number", "!!float": "a number", "!!bool": "true or false", "!!timestamp": "a date",
}

func describe(node *yaml.Node) string {
	return cmp.Or(described[node.Kind], described[node.Tag], node.Tag)
}
