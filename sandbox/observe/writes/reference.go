package writes

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// References calls each with the names in an object's spec that can be names of other objects. hint
// has the names of the fields around the name, and the kind beside it, in lower case; see
// [Reference].
func References(u *unstructured.Unstructured, each func(name, hint string)) {
	for _, m := range mentionsOf(u) {
		each(m.name, m.hint)
	}
}

// mention is a name in an object's spec or labels. hint has the names of the fields around it, and
// the kind beside it, in lower case.
type mention struct {
	name, hint string
	certainty  Certainty // Reference, or Name for a label
}

// mentionsOf returns the mentions in an object's desired state.
func mentionsOf(u *unstructured.Unstructured) []mention {
	var v version
	for field, value := range u.Object {
		if field != "status" && field != "metadata" {
			v.addMentions(value, "", 0)
		}
	}
	return v.mentions
}

const maxMentionDepth = 12

// addMentions collects the strings that can be names of objects.
func (v *version) addMentions(value any, hint string, depth int) {
	if depth > maxMentionDepth || len(v.mentions) >= maxMentions {
		return
	}
	switch value := value.(type) {
	case string:
		if isName(value) && hint != "" {
			v.mentions = append(v.mentions, mention{value, hint, Reference})
		}
	case []any:
		for _, item := range value {
			v.addMentions(item, hint, depth+1)
		}
	case map[string]any:
		kind, _ := value["kind"].(string)
		for _, field := range slices.Sorted(maps.Keys(value)) {
			v.addMentions(value[field], strings.ToLower(lastWords(hint)+" "+clip(field)+" "+clip(kind)), depth+1)
		}
	}
}

// lastWords returns the last two words of a hint, which bounds it.
func lastWords(hint string) string {
	words := strings.Fields(hint)
	return strings.Join(words[max(0, len(words)-2):], " ")
}

func isName(text string) bool {
	return len(text) > 0 && len(text) <= 253 && strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	}) < 0
}

// mentionOf returns how a version refers to an object by its name, in a field or label that names
// its kind; "" if it does not.
func (v *version) mentionOf(o Object) Certainty {
	if o.Namespace != "" && v.object.Namespace != "" && o.Namespace != v.object.Namespace {
		return ""
	}
	kind, found := strings.ToLower(o.Kind), Certainty("")
	for _, m := range v.mentions {
		if m.name == o.Name && strings.Contains(m.hint, kind) && found != Reference {
			found = m.certainty
		}
	}
	return found
}
