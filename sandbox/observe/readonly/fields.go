package readonly

import (
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

const (
	// maxFieldSets is the number of parsed field sets that are kept, and maxFieldSet the length of one.
	maxFieldSets = 512
	maxFieldSet  = 8 << 10
)

// fieldSets keeps parsed sets of fields. Most objects of a kind have equal ones, and so have the
// versions of an object. At the bound it starts again. It is safe for concurrent use.
type fieldSets struct {
	mu     sync.Mutex
	parsed map[string]any
}

func newFieldSets() *fieldSets { return &fieldSets{parsed: map[string]any{}} }

// entries converts managedFields, as the JSON of an object has them. The results share field sets,
// which must not be changed.
func (s *fieldSets) entries(managed []metav1.ManagedFieldsEntry) []any {
	all := make([]any, len(managed))
	for i, e := range managed {
		entry := map[string]any{"manager": e.Manager, "operation": string(e.Operation), "apiVersion": e.APIVersion}
		if e.Subresource != "" {
			entry["subresource"] = e.Subresource
		}
		if e.Time != nil {
			entry["time"] = e.Time.ToUnstructured()
		}
		if e.FieldsV1 != nil {
			entry["fieldsV1"] = s.parse(e.FieldsV1.GetRawString())
		}
		all[i] = entry
	}
	return all
}

func (s *fieldSets) parse(raw string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.parsed[raw]; ok {
		return found
	}
	var value any
	if err := utiljson.Unmarshal([]byte(raw), &value); err != nil {
		return nil // The API server parses each set, too.
	}
	if len(s.parsed) >= maxFieldSets {
		clear(s.parsed)
	}
	if len(raw) <= maxFieldSet {
		s.parsed[raw] = value
	}
	return value
}
