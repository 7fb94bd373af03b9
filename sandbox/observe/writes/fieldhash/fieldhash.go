// Package fieldhash hashes the fields of objects, so that versions can be compared without their
// values. Hashes are different in each process.
package fieldhash

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"strings"
)

// maxComparisons is the number of items of a list times the number of items that a manager owns.
// Beyond it the manager's values are the whole list.
const maxComparisons = 10_000

var seed = maphash.MakeSeed()

// Of hashes a value as a decoder of JSON returns it. The order of keys does not matter.
func Of(value any) uint64 {
	switch value := value.(type) {
	case string:
		return maphash.String(seed, value)
	case map[string]any:
		sum := uint64(len(value))
		for key, inner := range value {
			sum += Mix(maphash.String(seed, key), Of(inner))
		}
		return Mix(sum, 'm')
	case []any:
		sum := uint64(len(value))
		for _, item := range value {
			sum = Mix(sum, Of(item))
		}
		return Mix(sum, 'l')
	case bool:
		if value {
			return Mix(1, 'b')
		}
		return Mix(0, 'b')
	case int64:
		return Mix(uint64(value), 'i')
	case float64:
		return Mix(math.Float64bits(value), 'f')
	}
	return maphash.String(seed, fmt.Sprint(value)) // nil, or a type that no decoder of objects returns.
}

// Mix combines two hashes in their order, as wyhash does.
func Mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^0xa0761d6478bd642f, b^0xe7037ed1a0b428db)
	return high ^ low
}

// Owned hashes the values of the fields that a manager owns: those at the paths of a FieldsV1
// (k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1). If a manager changes only values of its own fields,
// the API server leaves its entry as it is.
func Owned(fields map[string]any, value any) uint64 {
	if len(fields) == 0 {
		return Of(value)
	}
	if items, _ := value.([]any); len(items)*len(fields) > maxComparisons {
		return Of(value)
	}
	sum := uint64(0)
	for path, inner := range fields {
		inner, _ := inner.(map[string]any)
		kind, name, _ := strings.Cut(path, ":")
		switch kind {
		case "f":
			object, _ := value.(map[string]any)
			sum += Mix(maphash.String(seed, path), Owned(inner, object[name]))
		case "k":
			sum += Mix(maphash.String(seed, path), Owned(inner, itemWith(value, name)))
		}
	}
	return sum
}

// itemWith returns the item of a list whose keys have the values of a JSON object; nil if there is
// none.
func itemWith(list any, keys string) any {
	var wanted map[string]any
	items, _ := list.([]any)
	if len(items) == 0 || json.Unmarshal([]byte(keys), &wanted) != nil {
		return nil
	}
	for _, item := range items {
		object, _ := item.(map[string]any)
		matches := true
		for key, value := range wanted {
			matches = matches && isEqual(object[key], value)
		}
		if matches {
			return item
		}
	}
	return nil
}

// isEqual compares a value with one of encoding/json, which decodes integers as float64.
func isEqual(value, decoded any) bool {
	if text, ok := value.(string); ok {
		return text == decoded
	}
	return fmt.Sprint(value) == fmt.Sprint(decoded)
}
