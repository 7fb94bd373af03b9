// Package foreign reads the variants of OTLP JSON that other programs write.
package foreign

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
)

// fields maps the names of fields in other variants to OTLP's.
var fields = map[string]string{"batches": "resourceSpans", "instrumentationLibrarySpans": "scopeSpans", "instrumentationLibrary": "scope"}

// ids are the fields with ids. Protobuf's own JSON mapping, which OTLP does not use, encodes them in
// base64.
var ids = map[string]bool{"traceId": true, "spanId": true, "parentSpanId": true}

// Normalize converts a document of Grafana Tempo, or with ids in base64, to OTLP JSON. It returns false
// if the document is neither, or not valid JSON.
func Normalize(document []byte) (otlp []byte, changed bool) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber() // Times do not fit into a float64.
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, false
	}
	if outer, isObject := value.(map[string]any); isObject {
		if inner, wrapped := outer["trace"].(map[string]any); wrapped { // Tempo's API v2.
			value, changed = inner, true
		}
	}
	if value, renamed := normalize(value); renamed || changed {
		otlp, err := json.Marshal(value)
		return otlp, err == nil
	}
	return nil, false
}

func normalize(value any) (normalized any, changed bool) {
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			item, itemChanged := normalize(item)
			v[i], changed = item, changed || itemChanged
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			item, itemChanged := normalize(item)
			if name, known := fields[key]; known {
				key, itemChanged = name, true
			}
			if text, isText := item.(string); isText && ids[key] {
				if id, decoded := decodeID(text); decoded {
					item, itemChanged = id, true
				}
			}
			out[key], changed = item, changed || itemChanged
		}
		return out, changed
	}
	return value, changed
}

// decodeID converts an id from base64 to hexadecimal digits.
func decodeID(text string) (id string, decoded bool) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) != 8 && len(data) != 16 {
		return "", false
	}
	return hex.EncodeToString(data), true
}
