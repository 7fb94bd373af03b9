package project

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/operator-tracing/sandbox/sandbox/near"
)

// Error is a mistake in a sandbox.yaml, in one line that begins with the place of it, as compilers write it.
type Error struct {
	// Path is the file's.
	Path string
	// Line and Column count from 1; a zero is not known.
	Line, Column int
	// Field is where the mistake is, as "operator.manifests[0]"; empty for the file as a whole.
	Field string
	// Problem says what is wrong, and where it can be known what to do.
	Problem string
}

// Error is PATH:LINE:COLUMN: FIELD: PROBLEM.
func (e *Error) Error() string {
	place := e.Path
	if e.Line > 0 {
		place += fmt.Sprintf(":%d", e.Line)
		if e.Column > 0 {
			place += fmt.Sprintf(":%d", e.Column)
		}
	}
	if e.Field != "" {
		place += ": " + e.Field
	}
	return place + ": " + e.Problem
}

// decoder reads one file and knows where each field of it was.
type decoder struct {
	path   string
	places places
	wrong  []*Error
}

// places are where the values of fields are.
type places map[string]*yaml.Node

// of is where a field is or, where it is missing, the field around it.
func (p places) of(field string) *yaml.Node {
	for p[field] == nil && field != "" {
		field = field[:max(strings.LastIndexAny(field, ".["), 0)]
	}
	if at := p[field]; at != nil {
		return at
	}
	return &yaml.Node{}
}

// decode reads a file strictly: what is not a field of File, has another type, or is there twice, is an error. Of several
// mistakes the first is told.
func decode(path string, data []byte) (*File, *decoder, error) {
	d := &decoder{path: path, places: places{}}
	documents := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	if err := documents.Decode(&root); errors.Is(err, io.EOF) {
		return nil, nil, &Error{Path: path, Problem: "it is empty; docs/sandbox-yaml.md has an example, and `sandbox init` writes one"}
	} else if err != nil {
		return nil, nil, d.syntax(err)
	}
	if err := documents.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, nil, &Error{Path: path, Line: second.Line, Problem: "a second document; one is all that a file may have"}
	}
	top := root.Content[0]
	// Another version may have other fields: that it is another must not be told last.
	if err := d.version(top); err != nil {
		return nil, nil, err
	}
	d.check(top, reflect.TypeFor[File](), "")
	if err := d.first(); err != nil {
		return nil, nil, err
	}
	file := &File{}
	if err := top.Decode(file); err != nil {
		return nil, nil, d.syntax(err)
	}
	return file, d, nil
}

// syntax is an error of the YAML library's, which has the line already: "yaml: line 3: …".
func (d *decoder) syntax(err error) error {
	text := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: ")
	e := &Error{Path: d.path, Problem: "it is no YAML: " + text}
	if n, _ := fmt.Sscanf(text, "line %d: ", &e.Line); n == 1 {
		_, text, _ = strings.Cut(text, ": ")
		e.Problem = "it is no YAML: " + text
	}
	return e
}

// version wants the file to say that it is one of this package's.
func (d *decoder) version(top *yaml.Node) error {
	for _, want := range []struct{ key, value string }{{"apiVersion", APIVersion}, {"kind", Kind}} {
		found := &yaml.Node{}
		if top.Kind == yaml.MappingNode {
			for i := 0; i < len(top.Content); i += 2 {
				if top.Content[i].Value == want.key {
					found = top.Content[i+1]
				}
			}
		}
		switch found.Value {
		case want.value:
		case "":
			return &Error{Path: d.path, Line: max(found.Line, top.Line), Field: want.key, Problem: "it is missing; this program reads " + want.key + ": " + want.value}
		default:
			return &Error{Path: d.path, Line: found.Line, Column: found.Column, Field: want.key,
				Problem: fmt.Sprintf("%q is not known; this program reads %s", found.Value, want.value)}
		}
	}
	return nil
}

// fail notes a mistake at a node.
func (d *decoder) fail(at *yaml.Node, field, format string, args ...any) {
	d.wrong = append(d.wrong, &Error{Path: d.path, Line: at.Line, Column: at.Column, Field: field, Problem: fmt.Sprintf(format, args...)})
}

// failField notes a mistake of a field, at its place or, where it is missing, at that of the field around it.
func (d *decoder) failField(field, format string, args ...any) {
	d.fail(d.places.of(field), field, format, args...)
}

// first is the first mistake of those that were noted, by place.
func (d *decoder) first() error {
	if len(d.wrong) == 0 {
		return nil
	}
	slices.SortStableFunc(d.wrong, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	e := *d.wrong[0]
	if more := len(d.wrong) - 1; more > 0 {
		e.Problem += fmt.Sprintf(" (and %d more)", more)
	}
	return &e
}

// check compares a value with the type that it must have, and notes where each field is.
func (d *decoder) check(node *yaml.Node, want reflect.Type, field string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	d.places[field] = node
	if node.Tag == "!!null" {
		return // As good as not there.
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
	types := fieldsOf(want)
	d.eachKey(node, field, func(key, value *yaml.Node) {
		name := strings.TrimPrefix(field+"."+key.Value, ".")
		if known, ok := types[key.Value]; ok {
			d.check(value, known, name)
			return
		}
		var names []string
		for known := range types {
			names = append(names, known)
		}
		slices.Sort(names)
		if hint := near.Hint(key.Value, names); hint != "" {
			d.fail(key, name, "there is no such field%s", hint)
			return
		}
		d.fail(key, name, "there is no such field; there are %s", strings.Join(names, ", "))
	})
}

// eachKey visits the keys of a mapping, and notes those that are there twice.
func (d *decoder) eachKey(node *yaml.Node, field string, visit func(key, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		d.fail(node, field, "want fields, found %s", describe(node))
		return
	}
	lines := map[string]int{}
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		if line := lines[key.Value]; line > 0 {
			d.fail(key, strings.TrimPrefix(field+"."+key.Value, "."), "it is there already, in line %d", line)
			continue
		}
		lines[key.Value] = key.Line
		visit(key, node.Content[i+1])
	}
}

// fieldsOf is the types of a struct's fields, by their names in YAML.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for i := range t.NumField() {
		types[t.Field(i).Tag.Get("yaml")] = t.Field(i).Type
	}
	return types
}

// describe says what a node is, for people.
func describe(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	}
	switch node.Tag {
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	}
	return node.Tag
}
