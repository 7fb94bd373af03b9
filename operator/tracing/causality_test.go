package tracing

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// forget clears a table, for tests whose servers reuse UIDs.
func (t *causality) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.young, t.old, t.pending = map[causeKey]cause{}, nil, map[objectName]cause{}
}

func facts(uid types.UID, version string, generation int64) *objectFacts {
	return &objectFacts{uid: uid, version: version, generation: generation}
}

func causeOf(n byte) cause { return cause{span: sampledContext(n), start: int64(n)} }

func TestCausality(t *testing.T) {
	t.Parallel()
	c := newCausality(100)
	c.wrote(facts("a", "10", 1), true, causeOf(1))
	c.wrote(facts("a", "11", 1), false, causeOf(2)) // a status
	c.wrote(facts("a", "12", 2), true, causeOf(3))
	c.wrote(facts("none", "", 3), true, causeOf(4))
	c.wrote(facts("opaque", "x12", 3), true, causeOf(4))
	c.wrote(facts("", "13", 3), true, causeOf(4))

	for name, tc := range map[string]struct {
		get  func() (cause, bool)
		want byte // 0 means none
	}{
		"the create":                     {func() (cause, bool) { return c.generation("a", 1) }, 1},
		"the update":                     {func() (cause, bool) { return c.generation("a", 2) }, 3},
		"a generation that nothing made": {func() (cause, bool) { return c.generation("a", 3) }, 0},
		"no generation":                  {func() (cause, bool) { return c.generation("a", 0) }, 0},
		"the version of a status":        {func() (cause, bool) { return c.version("a", "11") }, 2},
		"another object's version":       {func() (cause, bool) { return c.version("b", "11") }, 0},
		"a response without a version":   {func() (cause, bool) { return c.generation("none", 3) }, 0},
		"a version that is not a number": {func() (cause, bool) { return c.version("opaque", "x12") }, 0},
		"an object without a UID":        {func() (cause, bool) { return c.version("", "13") }, 0},
		"the latest write":               {func() (cause, bool) { return c.latest("a") }, 3},
		"an apply of an unknown name":    {func() (cause, bool) { return c.applied(objectName{}) }, 0},
	} {
		got, ok := tc.get()
		if ok != (tc.want != 0) || ok && !sameSpan(got.span, sampledContext(tc.want)) {
			t.Errorf("%s: got %v, %t, want the write %d", name, got.span.SpanID(), ok, tc.want)
		}
	}
	c.wrote(facts("a", "11", 1), false, causeOf(2)) // recorded late, by another worker
	if got, _ := c.latest("a"); got.version != 12 {
		t.Errorf("the latest version is %d, want 12", got.version)
	}
}

func TestCausalityInFlight(t *testing.T) {
	t.Parallel()
	c, name := newCausality(100), objectName{schema.GroupKind{Kind: "A"}, types.NamespacedName{Name: "x"}}
	sent := cause{span: sampledContext(1), generation: 1}
	c.sends(name, sent)
	for generation, want := range map[int64]bool{0: true, 1: false, 2: true} {
		if _, ok := c.sending(name, generation); ok != want {
			t.Errorf("sending(generation %d) = %t, want %t", generation, ok, want)
		}
	}
	if _, ok := c.sending(objectName{name: name.name}, 2); ok {
		t.Error("sending() matches an object of another kind with the same name")
	}
	c.answered(name, cause{span: sampledContext(2)})
	if _, ok := c.sending(name, 2); !ok {
		t.Error("the response to another write removed this write")
	}
	c.answered(name, sent)
	if _, ok := c.sending(name, 2); ok || len(c.pending) != 0 {
		t.Error("sending() = true after the response, want false")
	}
	for i := range maxPending + 10 {
		c.sends(objectName{name: types.NamespacedName{Name: fmt.Sprint(i)}}, sent)
	}
	if len(c.pending) != maxPending {
		t.Errorf("%d writes in flight, want %d", len(c.pending), maxPending)
	}
}

func TestCausalityAtTheCap(t *testing.T) {
	t.Parallel()
	const limit = 1000
	c := newCausality(limit)
	for i := range 10 * limit {
		c.wrote(facts("a", versionText(uint64(i+1)), 0), false, causeOf(1))
		if n := len(c.young) + len(c.old); n > limit {
			t.Fatalf("%d entries after %d writes, want at most %d", n, i+1, limit)
		}
	}
	if _, ok := c.version("a", versionText(10*limit-limit/4)); !ok {
		t.Error("a recent write is missing")
	}
	if _, ok := c.version("a", "1"); ok {
		t.Error("the first write is still in the table, want it dropped")
	}
}

func TestCausalityIsSharedByProvider(t *testing.T) {
	t.Parallel()
	type notComparable struct {
		trace.TracerProvider
		_ []int
	}
	var all causalities
	one, other := &providerStub{}, &providerStub{}
	first, second := all.of(one), all.of(one)
	if first != second || first == all.of(other) {
		t.Error("wrappers with one provider do not share a table, or those with two do")
	}
	if first, second = all.of(notComparable{}), all.of(notComparable{}); first == second {
		t.Error("providers of incomparable types share a table")
	}
	type around struct{ trace.TracerProvider }
	if first, second = all.of(around{notComparable{}}), all.of(around{notComparable{}}); first == second {
		t.Error("providers around some that can't be compared share a table")
	}
	for range maxProviders {
		all.of(&providerStub{})
	}
	if n := len(all.tables); n > maxProviders {
		t.Errorf("%d providers are kept, want at most %d", n, maxProviders)
	}
}

type providerStub struct {
	trace.TracerProvider
	_ int
}

func TestCausalityConcurrently(t *testing.T) {
	t.Parallel()
	c := newCausality(100)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			uid := types.UID(fmt.Sprint(g))
			for i := range 500 {
				c.sends(objectName{name: types.NamespacedName{Name: fmt.Sprint(g)}}, causeOf(1))
				c.wrote(facts(uid, versionText(uint64(i+1)), int64(i+1)), true, causeOf(1))
				c.answered(objectName{name: types.NamespacedName{Name: fmt.Sprint(g)}}, causeOf(1))
				c.seen(uid, int64(i), time.Now())
				c.latest(uid)
			}
		})
	}
	wg.Wait()
	if len(c.pending) != 0 {
		t.Errorf("%d writes are in flight, want none", len(c.pending))
	}
}

func fullTable() *causality {
	c := newCausality(maxCauses)
	for i := 0; len(c.young)+len(c.old) < maxCauses-2; i++ {
		uid := types.UID(fmt.Sprintf("0b6ffa0e-5c53-4f9a-9f0d-%012d", i))
		c.wrote(facts(uid, versionText(uint64(i+1)), 1), true, causeOf(byte(i)))
		if i > 2*maxCauses {
			break
		}
	}
	return c
}

// BenchmarkCausalityLookup reports the time of a lookup in a full table, and the memory of the
// table.
func BenchmarkCausalityLookup(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := fullTable()
	runtime.GC()
	runtime.ReadMemStats(&after)
	n := len(c.young) + len(c.old)
	var uids []types.UID
	for key := range c.young {
		if uids = append(uids, key.uid); len(uids) == 1024 {
			break
		}
	}
	b.ResetTimer()
	for i := range b.N {
		c.generation(uids[i%len(uids)], 1)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
	b.ReportMetric(float64(n), "entries")
}
