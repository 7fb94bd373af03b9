package tracing

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// intents is a set of what writes were for. A reconcile's is an attribute of its span.
type intents uint32

const (
	intentDelete intents = 1 << iota
	intentDesired
	intentMetadata
	intentOther // another sub-resource, or what can't be told
	intentStatus

	allIntents = 1<<iota - 1
)

// intentNames has the attribute's value for each set, made once.
var intentNames = func() (out [allIntents + 1]string) {
	words := []string{"delete", "desired_state", "metadata", "other", "status"} // sorted, as the bits are
	for set := range out {
		var names []string
		for bit, word := range words {
			if set&(1<<bit) != 0 {
				names = append(names, word)
			}
		}
		out[set] = strings.Join(names, ",")
	}
	out[0] = "none"
	return out
}()

// String gives the names in alphabetical order, joined by commas; "none" for the empty set.
func (i intents) String() string { return intentNames[i&allIntents] }

// intentOf says what a merge patch or an applied object is for.
func (b body) intentOf() intents {
	var i intents
	if len(b.desired()) > 0 {
		i |= intentDesired
	}
	if _, ok := b["status"]; ok {
		i |= intentStatus
	}
	if metadata, ok := b["metadata"].(map[string]any); ok && statesMetadata(metadata) {
		i |= intentMetadata
	}
	return i
}

// intentAgainst says what replacing old by b is for. It is none where b would change nothing that can be seen.
func (b body) intentAgainst(old body, desired bool) intents {
	var i intents
	if desired {
		i |= intentDesired
	}
	if b.newStatus(old) != nil {
		i |= intentStatus
	}
	now, _ := b["metadata"].(map[string]any)
	was, _ := old["metadata"].(map[string]any)
	if !equalBut(now, was, "resourceVersion", "managedFields", "generation") {
		i |= intentMetadata
	}
	return i
}

// newStatus gives the status that b states, nil where it states none or the old one.
func (b body) newStatus(old body) any {
	status, ok := b["status"]
	if !ok || reflect.DeepEqual(status, old["status"]) {
		return nil
	}
	return status
}

// equalBut compares two maps but for some keys.
func equalBut(a, b map[string]any, keys ...string) bool {
	for _, one := range []map[string]any{a, b} {
		for key := range one {
			if !slices.Contains(keys, key) && !reflect.DeepEqual(a[key], b[key]) {
				return false
			}
		}
	}
	return true
}

// statesMetadata reports whether there is more than what says which object is meant.
func statesMetadata(metadata map[string]any) bool {
	for key := range metadata {
		switch key {
		case "name", "namespace", "uid", "resourceVersion":
		default:
			return true
		}
	}
	return false
}

// jsonOperation is an operation of a JSON patch (RFC 6902), as far as it matters here.
type jsonOperation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

// intentOfJSON says what a JSON patch is for. One that can't be read is for the API server to refuse.
func intentOfJSON(operations []jsonOperation) intents {
	var i intents
	for _, o := range operations {
		top, _, _ := strings.Cut(strings.TrimPrefix(o.Path, "/"), "/")
		switch {
		case o.Op == "test":
		case top == "metadata":
			i |= intentMetadata
		case top == "status":
			i |= intentStatus
		default:
			i |= intentDesired
		}
	}
	return i
}
