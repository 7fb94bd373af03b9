package finding

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// randomSpans returns spans with wrong parents, ids, times and types of attributes among them.
func randomSpans(r *rand.Rand) []spantree.Span {
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	b := &builder{}
	for range r.IntN(150) {
		parent := r.IntN(len(b.spans)+1) - 1
		span := b.add(parent, pick("reconcile", "create", "create", "update_status", "update", "delete", "admit", ""), pick("Cache", "Deployment"),
			pick(spantree.KindClient, spantree.KindConsumer, spantree.KindProducer, spantree.KindServer, ""), nil, pick("conflict", "already_exists", "stale_read", "Ready: →True", "Ready: →False", "→", ": ", "", "", ""))
		s := &b.spans[span]
		if r.IntN(2) == 0 {
			maps.Copy(s.Attributes, b.causedBy(r.IntN(len(b.spans))))
		}
		for key, value := range map[string]any{"operator.write.unchanged": true, "operator.reconcile.requeue_reason": "requeue", "operator.object.name": "b", "operator.observed": true} {
			switch r.IntN(8) {
			case 0, 1:
				s.Attributes[key] = value
			case 2:
				s.Attributes[key] = []any{false, int64(2), nil, []any{}, -0.5}[r.IntN(5)]
			}
		}
		if r.IntN(20) == 0 {
			s.ParentSpanID, s.SpanID = pick("1", "9", "ffff"), pick("1", "2")
		}
		b.wait(time.Duration(r.IntN(3000)-500) * time.Millisecond)
		if r.IntN(10) == 0 {
			b.fail(span, "no quota")
		}
	}
	return b.spans
}

// TestRandomTraces: Find accepts any spans, does not depend on their order, and its evidence exists.
func TestRandomTraces(t *testing.T) {
	t.Parallel()
	found := map[string]int{}
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 17))
		spans := randomSpans(r)
		want := Find(spantree.Build(spans), Options{})
		ids := map[string]bool{}
		for _, s := range spans {
			ids[s.SpanID] = true
		}
		for _, f := range want {
			found[f.ID]++
			for _, e := range f.Evidence {
				if !ids[e.SpanID] {
					t.Errorf("seed %d: %s: span %s does not exist", seed, f.ID, e.SpanID)
				}
			}
		}
		if duplicates(spans) {
			continue // The first of several spans with an id is the parent.
		}
		r.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		if diff := cmp.Diff(want, Find(spantree.Build(spans), Options{})); diff != "" {
			t.Fatalf("seed %d: the findings depend on the order of spans (-want +got):\n%s", seed, diff)
		}
	}
	if len(found) < 5 {
		t.Errorf("found only %v; the random traces are too simple", found)
	}
}

func duplicates(spans []spantree.Span) bool {
	var ids []string
	for _, s := range spans {
		ids = append(ids, s.SpanID)
	}
	slices.Sort(ids)
	return len(slices.Compact(ids)) < len(spans)
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			build := &builder{}
			chain(build, n/2)
			forest := spantree.Build(build.spans)
			for b.Loop() {
				Find(forest, Options{})
			}
		})
	}
}
