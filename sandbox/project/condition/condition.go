// Package condition decides whether an object has reached a state: a condition of its status, the
// value of any field, or nothing at all.
package condition

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/jsonpath"
)

// none is the Type that every object reaches.
const none = "none"

// Condition is a state that an object must reach.
type Condition struct {
	// Type is the type of a condition, or a JSONPath that starts with a dot, or none.
	Type string
	// Status is the status of the condition, or the value at the path.
	Status string
}

// Ready is the default condition.
var Ready = Condition{Type: "Ready", Status: "True"}

// String returns TYPE=STATUS.
func (c Condition) String() string {
	if c.Type == none {
		return none
	}
	return c.Type + "=" + c.Status
}

var pattern = regexp.MustCompile(`^([A-Za-z0-9][-A-Za-z0-9_./]*)=(True|False|Unknown)$`)

// Parse parses TYPE=STATUS, .PATH=VALUE, {.PATH}=VALUE or none. An empty text means Ready.
func Parse(text string) (c Condition, ok bool) {
	switch match := pattern.FindStringSubmatch(text); {
	case text == "":
		return Ready, true
	case text == none:
		return Condition{Type: none}, true
	case match != nil:
		return Condition{Type: match[1], Status: match[2]}, true
	}
	at := strings.LastIndexByte(text, '=')
	if at < 0 {
		return c, false
	}
	path := strings.TrimSuffix(strings.TrimPrefix(text[:at], "{"), "}")
	c = Condition{Type: path, Status: text[at+1:]}
	return c, strings.HasPrefix(path, ".") && len(path) > 1 && jsonpath.New("").Parse("{"+path+"}") == nil && c.Status != ""
}

// IsPath reports whether the condition is the value of a field.
func (c Condition) IsPath() bool { return strings.HasPrefix(c.Type, ".") }

// Met returns nil if an object has reached the condition, for its generation if the condition has
// one. kstatus accepts an object without conditions, because not every kind has them; Met does not.
func (c Condition) Met(live *unstructured.Unstructured) error {
	switch {
	case c.Type == none:
		return nil
	case c.IsPath():
		return c.hasValue(live)
	}
	conditions, _, err := unstructured.NestedSlice(live.Object, "status", "conditions")
	if err != nil {
		return err
	}
	var others []string
	for _, item := range conditions {
		condition, _ := item.(map[string]any)
		if condition["type"] != c.Type {
			others = append(others, fmt.Sprintf("%v=%v", condition["type"], condition["status"]))
			continue
		}
		observed, known := condition["observedGeneration"].(int64)
		switch {
		case condition["status"] != c.Status:
			return errors.New(Last(live))
		case known && observed != live.GetGeneration():
			return fmt.Errorf("condition %s is for generation %d, the object has generation %d", c.Type, observed, live.GetGeneration())
		}
		return nil
	}
	if len(others) > 0 {
		return fmt.Errorf("no condition %s yet, only %s", c.Type, strings.Join(others, ", "))
	}
	return errors.New("no condition " + c.Type + " yet")
}

func (c Condition) hasValue(live *unstructured.Unstructured) error {
	path := jsonpath.New("").AllowMissingKeys(true)
	if err := path.Parse("{" + c.Type + "}"); err != nil {
		return fmt.Errorf("reading %s: %w", c.Type, err)
	}
	var value bytes.Buffer
	if err := path.Execute(&value, live.Object); err != nil {
		return fmt.Errorf("reading %s: %w", c.Type, err)
	}
	if value.String() != c.Status {
		return fmt.Errorf("%s is %q, want %q", c.Type, value.String(), c.Status)
	}
	return nil
}

// Last renders the condition of an object that changed last; "" if it has none.
func Last(obj *unstructured.Unstructured) string {
	conditions, _, err := unstructured.NestedSlice(obj.Object, "status", "conditions")
	if err != nil || len(conditions) == 0 {
		return ""
	}
	field := func(condition any, name string) string {
		m, _ := condition.(map[string]any)
		text, _ := m[name].(string)
		return text
	}
	// Times are RFC 3339 in UTC, so they sort as text.
	last := slices.MaxFunc(conditions, func(a, b any) int {
		return strings.Compare(field(a, "lastTransitionTime"), field(b, "lastTransitionTime"))
	})
	text := fmt.Sprintf("condition %s=%s", field(last, "type"), field(last, "status"))
	if reason := field(last, "reason"); reason != "" {
		text += " (" + reason + ")"
	}
	if message := field(last, "message"); message != "" {
		text += ": " + message
	}
	return text
}
