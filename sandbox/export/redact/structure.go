package redact

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// JSON returns a JSON document in which the values of variables, arguments and settings are hidden
// that may be secret, and the hidden values. It returns other text unchanged. It knows lists named
// env of NAME=VALUE, lists named args, and the objects of Kubernetes. In lists of arguments it hides
// all unknown values if foreign is true, otherwise only those with a telling name.
func JSON(data []byte, foreign bool) ([]byte, []Known) {
	var document any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // A floating point number cannot hold nanoseconds.
	if decoder.Decode(&document) != nil {
		return data, nil
	}
	known := Tree(document, foreign)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return data, nil
	}
	return out.Bytes(), known
}

// Tree hides secrets in a tree of JSON, in place, as [JSON] does. It returns the hidden values.
func Tree(document any, foreign bool) []Known {
	c := cleaner{arguments: foreign}
	c.walk(document)
	return c.known
}

type cleaner struct {
	arguments bool // It hides unknown arguments, too.
	known     []Known
}

func (c *cleaner) walk(node any) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			c.walk(child)
		}
	case map[string]any:
		if name, named := n["name"].(string); named {
			c.variable(n, name)
		}
		for key, child := range n {
			switch value := child.(type) {
			case string:
				if Telling(key) && !harmless.MatchString(value) && !(namesObject(key) && objectName.MatchString(value)) {
					n[key] = Hidden
					c.known = append(c.known, Known{Name: key, Value: value, Sure: true})
				}
			case []any:
				c.list(strings.ToLower(key), value)
				c.walk(child)
			default:
				c.walk(child)
			}
		}
	}
}

func (c *cleaner) variable(n map[string]any, name string) {
	value, valued := n["value"].(string)
	if !valued || shown(name, value) {
		return
	}
	n["value"] = Hidden
	c.known = append(c.known, Known{Name: name, Value: value, Sure: Telling(name)})
}

func (c *cleaner) list(key string, list []any) {
	texts := make([]string, len(list))
	for i := range list {
		text, ok := list[i].(string)
		if !ok {
			return
		}
		texts[i] = text
	}
	var known []Known
	clean := slices.Clone(texts)
	switch {
	case (key == "args" || key == "command") && c.arguments:
		first := 0
		if key == "command" && len(texts) > 0 {
			first = 1 // The program.
		}
		var arguments []string
		arguments, known = Arguments(texts[first:])
		clean = slices.Concat(texts[:first], arguments)
	case key == "env" || key == "operatorenv":
		clean, known = Variables(texts)
	}
	c.known = append(c.known, known...)
	for i := range clean {
		list[i] = clean[i]
	}
}
