package apply

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
)

func TestContains(t *testing.T) {
	t.Parallel()
	live := applytest.Object(t, `{apiVersion: v1, kind: X, metadata: {name: a, uid: u}, spec: {n: 1, b: false, list: [{a: 1, filled: in}, {b: 2}], m: {k: v}}}`)
	for wanted, want := range map[string]bool{
		`{metadata: {name: a}}`:                    true,
		`{metadata: {name: a, status: null}}`:      true,
		`{spec: {n: 1, b: false}}`:                 true,
		`{spec: {list: [{a: 1}, {b: 2}]}}`:         true,
		`{spec: {m: {}}}`:                          true,
		`{spec: {n: 2}}`:                           false,
		`{spec: {n: "1"}}`:                         false,
		`{spec: {b: true}}`:                        false,
		`{spec: {list: [{b: 2}, {a: 1}]}}`:         false,
		`{spec: {list: [{a: 1}]}}`:                 false,
		`{spec: {list: [{a: 1}, {b: 2}, {c: 3}]}}`: false,
		`{spec: {m: {k: w}}}`:                      false,
		`{spec: {m: {other: v}}}`:                  false,
		`{spec: {missing: {}}}`:                    false,
		`{spec: {n: {}}}`:                          false,
		`{spec: {n: []}}`:                          false,
	} {
		full := applytest.Object(t, `{apiVersion: v1, kind: X, metadata: {name: a}}`)
		for key, value := range applytest.Object(t, `{apiVersion: v1, kind: X, metadata: {name: a}, wrapped: `+wanted+`}`).Object["wrapped"].(map[string]any) {
			full.Object[key] = value
		}
		if got := contains(live.Object, full.Object); got != want {
			t.Errorf("contains(%s) = %t, want %t", wanted, got, want)
		}
	}
}

// testApplyRepairs checks that Apply sees every difference. It restores a field that another writer
// changed or removed, removes a field that is no longer wanted, and keeps a field that another
// writer added.
func testApplyRepairs(t *testing.T, c *Cluster) {
	t.Parallel()
	first := applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: repaired, namespace: default}, data: {kept: a, dropped: b}}`)
	second := applytest.Object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: repaired, namespace: default}, data: {kept: a}}`)
	steps := []struct {
		patch string // of another writer, before the apply
		apply *unstructured.Unstructured
		want  map[string]string
	}{
		{"", first, map[string]string{"kept": "a", "dropped": "b"}},
		{`{"data": {"kept": "other"}}`, first, map[string]string{"kept": "a", "dropped": "b"}},
		{`{"data": {"kept": null}}`, first, map[string]string{"kept": "a", "dropped": "b"}},
		{`{"data": {"added": "c"}}`, first, map[string]string{"kept": "a", "dropped": "b", "added": "c"}},
		{"", second, map[string]string{"kept": "a", "added": "c"}},
		{`{"data": {"kept": "other"}}`, second, map[string]string{"kept": "a", "added": "c"}},
	}
	for i, step := range steps {
		if step.patch != "" {
			if err := c.Client().Patch(t.Context(), applytest.Live(first), client.RawPatch("application/merge-patch+json", []byte(step.patch))); err != nil {
				t.Fatal(err)
			}
		}
		if err := Apply(t.Context(), c, []*unstructured.Unstructured{step.apply}); err != nil {
			t.Fatal(err)
		}
		now := applytest.Live(first)
		if err := c.Client().Get(t.Context(), client.ObjectKeyFromObject(now), now); err != nil {
			t.Fatal(err)
		}
		got, _, _ := unstructured.NestedStringMap(now.Object, "data")
		if len(got) != len(step.want) || !contains(now.Object["data"], toAny(step.want)) {
			t.Errorf("step %d: data = %v, want %v", i, got, step.want)
		}
	}
}

func toAny(m map[string]string) map[string]any {
	out := map[string]any{}
	for key, value := range m {
		out[key] = value
	}
	return out
}
