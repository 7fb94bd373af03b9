package export

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// clean removes secrets and irrelevant fields from an object. It returns the removed settings, but
// not the data of Secrets.
func clean(object *unstructured.Unstructured) []Known {
	object.SetManagedFields(nil)
	annotations := object.GetAnnotations()
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	if len(annotations) == 0 {
		annotations = nil
	}
	object.SetAnnotations(annotations)
	if object.GroupVersionKind().GroupKind() == (schema.GroupKind{Kind: "Secret"}) {
		for _, field := range []string{"data", "stringData"} {
			hideAll(object.Object, field)
		}
		return nil
	}
	c := cleaner{arguments: object.GetNamespace() != "kube-system"}
	c.walk(object.Object)
	return c.known
}

// hideAll replaces the values of a map by their sizes.
func hideAll(object map[string]any, field string) {
	values, found := object[field].(map[string]any)
	if !found {
		return
	}
	for key, value := range values {
		text, _ := value.(string) // All values of a Secret are strings.
		values[key] = fmt.Sprintf("%s, %d characters", Hidden, len(text))
	}
}

// JSON returns a JSON document in which the values of variables, arguments and settings are hidden
// that may be secret, and the hidden values. It returns other text unchanged. It knows lists named
// env of NAME=VALUE, lists named args, and the objects of Kubernetes.
func JSON(data []byte) ([]byte, []Known) {
	var document any
	if json.Unmarshal(data, &document) != nil {
		return data, nil
	}
	c := cleaner{arguments: true}
	c.walk(document)
	clean, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return data, nil
	}
	return append(clean, '\n'), c.known
}

// cleaner hides secrets in a tree of JSON.
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

// variable hides the value of an environment variable of a container.
func (c *cleaner) variable(n map[string]any, name string) {
	value, valued := n["value"].(string)
	if !valued || shown(name, value) {
		return
	}
	n["value"] = Hidden
	c.known = append(c.known, Known{Name: name, Value: value, Sure: Telling(name)})
}

// list hides values in a list of variables or arguments.
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
		clean = append(texts[:first:first], arguments...)
	case key == "env" || key == "operatorenv":
		clean, known = Variables(texts)
	}
	c.known = append(c.known, known...)
	for i := range clean {
		list[i] = clean[i]
	}
}
