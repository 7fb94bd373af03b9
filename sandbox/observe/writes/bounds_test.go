package writes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// object returns an object with fields beside its identity.
func object(uid string, revision int, fields map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "demo.test/v1", "kind": "Head"}}
	for field, value := range fields {
		u.Object[field] = value
	}
	u.SetName("h")
	u.SetNamespace("default")
	u.SetUID(types.UID(uid))
	u.SetResourceVersion(fmt.Sprint(revision))
	return u
}

// many returns a map with n values.
func many[T any](n int, value func(i int) (string, T)) map[string]T {
	all := map[string]T{}
	for range n {
		key, v := value(len(all))
		all[key] = v
	}
	return all
}

// What a store keeps of an object of 1 MiB is small, whatever the object consists of, and a second
// version is a write.
func TestLargeObjects(t *testing.T) { // Not parallel: it measures the heap.
	const size = 1 << 20
	long := strings.Repeat("a", size)
	text := func(i int) (string, any) { return fmt.Sprintf("key-%06d", i), strings.Repeat("b", 50) }
	for name, fields := range map[string]map[string]any{
		"a value":         {"data": map[string]any{"a": long}},
		"many values":     {"data": many(size/60, text)},
		"a name":          {"data": map[string]any{long: "a"}},
		"a field":         {long: "a"},
		"many fields":     many(size/60, text),
		"a reference":     {"spec": map[string]any{"secretName": long}},
		"many references": {"spec": map[string]any{"secretNames": list(size/60, func(i int) any { return fmt.Sprintf("secret-%06d", i) })}},
		"a kind of many":  {"spec": map[string]any{"kind": long, "refs": list(1000, func(i int) any { return fmt.Sprintf("secret-%06d", i) }), "a": many(100, func(i int) (string, any) { return fmt.Sprint("f", i), fmt.Sprint("n", i) })}},
		"a deep object":   {"spec": nested(5000)},
		"a node name":     {"spec": map[string]any{"nodeName": long}},
		"a selector":      {"spec": map[string]any{"selector": many(size/60, text)}},
		"a long selector": {"spec": map[string]any{"selector": map[string]any{long: long}}},
		"labels":          {"metadata": map[string]any{"labels": many(size/60, text)}},
		"annotations":     {"metadata": map[string]any{"annotations": map[string]any{"tracing.k8s.io/traceparent": long}}},
		"finalizers":      {"metadata": map[string]any{"finalizers": list(size/60, func(i int) any { return fmt.Sprintf("finalizer.test/%040d", i) })}},
		"owner references": {"metadata": map[string]any{"ownerReferences": list(size/150, func(i int) any {
			return map[string]any{"apiVersion": "v1", "kind": "Head", "name": "a", "uid": fmt.Sprintf("uid-%030d", i)}
		})}},
		"managers": {"metadata": map[string]any{"managedFields": list(size/200, func(i int) any {
			return map[string]any{"manager": fmt.Sprint("manager-", i), "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": map[string]any{"f:spec": map[string]any{}}}
		})}},
		"conditions": {"status": map[string]any{"conditions": list(size/60, func(i int) any {
			return map[string]any{"type": fmt.Sprint("Type", i), "status": "True", "reason": "Reason"}
		})}},
		"long condition": {"status": map[string]any{"conditions": list(1, func(int) any { return map[string]any{"type": long, "status": long, "reason": long} })}},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewStore(false)
			before := heap()
			const n = 3
			for i := range n {
				s.Put(Change{Object: copyOf(t, object(fmt.Sprint("uid-", i), i+1, fields)), Listed: true, At: time.Unix(1, 0)})
			}
			if kept := (heap() - before) / n; kept > size/4 {
				t.Errorf("kept %d bytes of an object of %d", kept, size)
			}
			changed := copyOf(t, object("uid-0", 100, fields))
			changed.Object["status"] = map[string]any{"phase": "Ready"}
			p := s.Put(Change{Object: changed, At: time.Unix(2, 0)})
			if p == nil {
				t.Fatal("no write")
			}
			if w := s.Resolve(p); len(w.Fields) == 0 || len(w.Fields) > maxFields {
				t.Errorf("%d changed fields, want 1 to %d", len(w.Fields), maxFields)
			}
			runtime.KeepAlive(s)
		})
	}
}

// A manager that owns the items of a long list one by one costs no quadratic time.
func TestLongLists(t *testing.T) {
	t.Parallel()
	const n = 12_000
	owned := many(n, func(i int) (string, any) { return fmt.Sprintf(`k:{"name":"n%d"}`, i), map[string]any{} })
	fields := map[string]any{
		"spec":     map[string]any{"items": list(n, func(i int) any { return map[string]any{"name": fmt.Sprint("n", i), "value": "a"} })},
		"metadata": map[string]any{"managedFields": []any{map[string]any{"manager": "operator", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": map[string]any{"f:spec": map[string]any{"f:items": owned}}}}},
	}
	s := NewStore(false)
	s.Put(Change{Object: copyOf(t, object("uid", 1, fields)), Listed: true, At: time.Unix(1, 0)})
	changed := copyOf(t, object("uid", 2, fields))
	items, _, _ := unstructured.NestedSlice(changed.Object, "spec", "items")
	items[n-1].(map[string]any)["value"] = "b"
	if err := unstructured.SetNestedSlice(changed.Object, items, "spec", "items"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	w := s.Resolve(s.Put(Change{Object: changed, At: time.Unix(2, 0)}))
	if w.Manager != "operator" {
		t.Errorf("the manager is %q, want operator", w.Manager)
	}
	t.Logf("digested a list of %d items in %s", n, time.Since(start))
}

// All tables have bounds, and a full store still takes changes of the objects that it knows.
func TestFullStore(t *testing.T) {
	t.Parallel()
	s := NewStore(false)
	s.room = 10
	put := func(uid string, revision int, deleted bool) *Pending {
		p := s.Put(Change{Object: object(uid, revision, nil), Deleted: deleted, At: time.Unix(int64(revision), 0)})
		if p != nil {
			s.Resolve(p)
		}
		return p
	}
	for i := range 10 {
		if put(fmt.Sprint("uid-", i), i+1, false) == nil {
			t.Fatalf("object %d is ignored", i)
		}
	}
	if put("uid-10", 11, false) != nil || !s.Full() {
		t.Error("a full store took a new object")
	}
	if put("uid-0", 12, false) == nil || put("uid-0", 13, true) == nil {
		t.Error("a full store ignored changes of an object that it knows")
	}
	if s.Full() || put("uid-10", 14, false) == nil || len(s.objects) != 10 {
		t.Errorf("a new object did not replace a deleted one: %d objects", len(s.objects))
	}
	if put("", 15, false) != nil {
		t.Error("an object without a UID is a write")
	}
}

// Old writes are forgotten, and many managers of one object cost little.
func TestSweep(t *testing.T) {
	t.Parallel()
	s := NewStore(false)
	start := time.Unix(1_000_000, 0)
	for i := range 3 * maxManagers {
		u := object("uid", i+1, map[string]any{
			"status":   map[string]any{"n": int64(i)},
			"metadata": map[string]any{"managedFields": []any{map[string]any{"manager": fmt.Sprint("manager-", i), "operation": "Update", "subresource": "status", "fieldsType": "FieldsV1", "fieldsV1": map[string]any{"f:status": map[string]any{}}}}},
		})
		if p := s.Put(Change{Object: u, At: start}); p != nil {
			s.Resolve(p)
		}
	}
	if len(s.controls) > maxManagers || len(s.loops) > maxLoops || len(s.objects["uid"].writes) > maxWrites {
		t.Errorf("%d kinds of managers, %d loops and %d writes", len(s.controls), len(s.loops), len(s.objects["uid"].writes))
	}
	s.Sweep(start.Add(maxPause + time.Second))
	if len(s.loops) != 0 || len(s.objects["uid"].writes) != 0 {
		t.Errorf("%d loops and %d writes are left after ten minutes", len(s.loops), len(s.objects["uid"].writes))
	}
}

func list(n int, item func(i int) any) []any {
	items := make([]any, n)
	for i := range items {
		items[i] = item(i)
	}
	return items
}

func nested(depth int) map[string]any {
	inner := map[string]any{"secretName": "a"}
	for range depth {
		inner = map[string]any{"a": inner}
	}
	return inner
}

// copyOf decodes an object from JSON, as a client does.
func copyOf(t *testing.T, u *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	text, err := json.Marshal(u.Object)
	if err != nil {
		t.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	return out
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Relations between many objects stay cheap: each of 300 names the others.
func BenchmarkCauses(b *testing.B) {
	s := NewStore(false)
	random := rand.New(rand.NewPCG(1, 1))
	revision := 0
	put := func(i int, listed bool) {
		revision++
		u := object(fmt.Sprint("uid-", i), revision, map[string]any{
			"spec":   map[string]any{"headNames": list(50, func(int) any { return fmt.Sprint("h", random.IntN(5000)) })},
			"status": map[string]any{"n": int64(revision)},
		})
		u.SetName(fmt.Sprint("h", i))
		if p := s.Put(Change{Object: u, At: time.Unix(int64(revision), 0), Listed: listed}); p != nil {
			s.Resolve(p)
		}
	}
	for i := range 5000 {
		put(i, true)
	}
	for b.Loop() {
		put(random.IntN(5000), false)
	}
}
