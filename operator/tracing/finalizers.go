package tracing

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// finalizers are those that a write adds and removes, as far as can be told.
type finalizers struct {
	added, removed []string
}

// finalizersBetween compares two lists.
func finalizersBetween(before, after []string) finalizers {
	if slices.Equal(before, after) {
		return finalizers{}
	}
	return finalizers{added: without(after, before), removed: without(before, after)}
}

// without gives those of a that are not in b.
func without(a, b []string) []string {
	var out []string
	for _, name := range a {
		if !slices.Contains(b, name) {
			out = append(out, name)
		}
	}
	return out
}

// action names a write that is about finalizers, where nothing that is desired is known to change or may change, else "". One that does both is called by
// what it removes: that lets an object go.
func (f finalizers) action() string {
	switch {
	case len(f.removed) > 0:
		return "remove_finalizer"
	case len(f.added) > 0:
		return "add_finalizer"
	default:
		return ""
	}
}

func (f finalizers) attributes(out []attribute.KeyValue) []attribute.KeyValue {
	if len(f.added) > 0 {
		out = append(out, FinalizersAddedKey.StringSlice(f.added))
	}
	if len(f.removed) > 0 {
		out = append(out, FinalizersRemovedKey.StringSlice(f.removed))
	}
	return out
}

// Keys of a patch that is about finalizers. The second is how a strategic merge patch removes from the list.
const (
	finalizersField  = "finalizers"
	finalizersDelete = "$deleteFromPrimitiveList/finalizers"
)

// finalizersOf says what a patch does to finalizers: a merge patch has the whole list, which can be compared only with the
// object as it was read; the other two say what they add, and a strategic merge patch what it removes.
func (b body) finalizersOf(p plan, style writeStyle) finalizers {
	metadata, _ := b["metadata"].(map[string]any)
	value, stated := metadata[finalizersField]
	if style == merges || stated && value == nil { // null takes the whole list away
		if !stated || p.prior == nil {
			return finalizers{}
		}
		return finalizersBetween(p.prior.GetFinalizers(), texts(value))
	}
	f := finalizers{added: texts(value), removed: texts(metadata[finalizersDelete])}
	if p.prior != nil {
		f.added = without(f.added, p.prior.GetFinalizers())
	}
	return f
}

// texts gives the strings of a list.
func texts(value any) []string {
	list, _ := value.([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// finalizersOfJSON says what a JSON patch does to finalizers. Where the object was not read, that is only what it adds.
func finalizersOfJSON(operations []jsonOperation, p plan) finalizers {
	const path = "/metadata/" + finalizersField
	var before, after []string
	if p.prior != nil {
		before = p.prior.GetFinalizers()
		after = slices.Clone(before)
	}
	for _, o := range operations {
		if at, ok := strings.CutPrefix(o.Path, path); ok && (at == "" || at[0] == '/') && o.Op != "test" {
			after = o.change(after, strings.TrimPrefix(at, "/"))
		}
	}
	return finalizersBetween(before, after)
}

// change gives the list after an operation on it, or on its item at an index or "-", the end.
func (o jsonOperation) change(list []string, at string) []string {
	if at == "" {
		var values []any
		_ = json.Unmarshal(o.Value, &values) // none for a remove
		return texts(values)
	}
	i, err := strconv.Atoi(at)
	known := err == nil && i >= 0 && i < len(list)
	if known && o.Op != "add" {
		list = slices.Delete(list, i, i+1)
	}
	var name string
	if o.Op == "remove" || json.Unmarshal(o.Value, &name) != nil {
		return list
	}
	if !known {
		i = len(list)
	}
	return slices.Insert(list, i, name)
}
