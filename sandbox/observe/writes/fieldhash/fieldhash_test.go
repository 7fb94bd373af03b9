package fieldhash_test

import (
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes/fieldhash"
)

func TestOf(t *testing.T) {
	t.Parallel()
	values := []any{
		nil, "", "a", true, false, int64(1), 1.0, map[string]any{}, []any{}, []any{"a", "b"}, []any{"b", "a"},
		map[string]any{"a": "b"}, map[string]any{"b": "a"}, map[string]any{"a": "b", "b": "a"},
	}
	for i, a := range values {
		for j, b := range values {
			if got, want := fieldhash.Of(a) == fieldhash.Of(b), i == j; got != want {
				t.Errorf("Of(%v) == Of(%v) is %t, want %t", a, b, got, want)
			}
		}
	}
}

// TestOwned changes a value that the manager owns, and values that it does not.
func TestOwned(t *testing.T) {
	t.Parallel()
	object := func(replicas int64, paused bool, image, pull string) map[string]any {
		return map[string]any{"spec": map[string]any{
			"replicas": replicas, "paused": paused,
			"containers": []any{map[string]any{"name": "a", "image": image, "pull": pull}, map[string]any{"name": "b", "image": pull}},
		}}
	}
	fields := map[string]any{"f:spec": map[string]any{
		"f:replicas":   map[string]any{},
		"f:containers": map[string]any{`k:{"name":"a"}`: map[string]any{".": map[string]any{}, "f:image": map[string]any{}}},
	}}
	before := fieldhash.Owned(fields, object(1, false, "x", "y"))
	for name, c := range map[string]struct {
		after map[string]any
		same  bool
	}{
		"equal":              {object(1, false, "x", "y"), true},
		"another's field":    {object(1, true, "x", "z"), true},
		"own field":          {object(2, false, "x", "y"), false},
		"own field of a key": {object(1, false, "z", "y"), false},
	} {
		if got := fieldhash.Owned(fields, c.after) == before; got != c.same {
			t.Errorf("%s: the hash is equal: %t, want %t", name, got, c.same)
		}
	}
}
