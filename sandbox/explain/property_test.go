package explain_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain"
)

// generator makes random traces: an operator with the library, and observed controllers, react to
// each other's writes.
type generator struct {
	*rand.Rand

	spans   []spantree.Span
	version int
	writes  []int          // indexes of spans
	last    map[string]int // the last reconcile of each object, by UID
}

const (
	operator = "operator"
	watches  = 10 * time.Millisecond // the shortest watch latency
)

// generate returns a trace of about a number of spans, in which the object 0 becomes ready last.
func generate(seed uint64, size int) []spantree.Span {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), last: map[string]int{}}
	applied := g.write("", "sandbox", spantree.KindClient, "apply", 0, epoch, 4*watches)
	admitted := g.add("admit", "", operator, spantree.KindServer, 0, g.spans[applied].Start.Add(watches), watches)
	g.spans[admitted].ParentSpanID = g.spans[applied].SpanID
	for len(g.spans) < size {
		cause := g.writes[g.IntN(len(g.writes))]
		if g.IntN(4) == 0 { // A long chain.
			cause = g.writes[len(g.writes)-1]
		}
		if g.IntN(2) == 0 {
			g.observed(cause)
		} else {
			g.reconcile(g.IntN(5), cause)
		}
	}
	g.reconcile(0, g.writes[len(g.writes)-1])
	ready := &g.spans[len(g.spans)-1]
	ready.Events = append(ready.Events, spantree.Event{Name: "Ready: False→True", Time: ready.End})
	return g.spans
}

func (g *generator) some() time.Duration { return time.Duration(1+g.IntN(20)) * time.Millisecond }

// add adds a span about an object, and returns its index.
func (g *generator) add(verb, parent, service, kind string, object int, start time.Time, took time.Duration) int {
	id := fmt.Sprintf("%016x", len(g.spans)+1)
	g.spans = append(g.spans, spantree.Span{
		TraceID: traceID, SpanID: id, ParentSpanID: parent, Name: verb + " Kind" + strconv.Itoa(object), Kind: kind, Service: service, Start: start, End: start.Add(took),
		Attributes: map[string]any{"operator.object.kind": "Kind" + strconv.Itoa(object), "operator.object.name": "o", "operator.object.uid": strconv.Itoa(object)},
	})
	return len(g.spans) - 1
}

func (g *generator) write(parent, service, kind, verb string, object int, start time.Time, took time.Duration) int {
	at := g.add(verb, parent, service, kind, object, start, took)
	g.version++
	g.spans[at].Attributes["operator.write.resource_version"] = strconv.Itoa(g.version)
	g.writes = append(g.writes, at)
	return at
}

func (g *generator) causedBy(at, cause int) {
	a, from := g.spans[at].Attributes, g.spans[cause].Attributes
	for to, key := range map[string]string{
		"kind": "operator.object.kind", "name": "operator.object.name", "uid": "operator.object.uid", "resource_version": "operator.write.resource_version",
	} {
		a["operator.reconcile.cause."+to] = from[key]
	}
}

func (g *generator) observed(cause int) {
	start := g.spans[cause].End
	if g.spans[cause].Attributes["operator.observed"] != true { // Another clock.
		start = start.Add(watches + g.some())
	}
	at := g.write(g.spans[cause].SpanID, "controller-"+strconv.Itoa(g.IntN(3)), spantree.KindInternal, "update", 5+g.IntN(5), start, g.some())
	g.spans[at].Attributes["operator.observed"] = true
	g.causedBy(at, cause)
}

// reconcile adds a reconcile with its writes. Some fail first, and are tried again.
func (g *generator) reconcile(object, cause int) {
	queue, uid := g.some(), strconv.Itoa(object)
	start := g.spans[cause].End.Add(watches + g.some() + queue)
	before, again := g.last[uid]
	if again && start.Before(g.spans[before].End) { // Not two at once.
		start = g.spans[before].End.Add(queue)
	}
	at := g.add("reconcile", g.spans[1].SpanID, operator, spantree.KindConsumer, object, start, 0)
	attributes := g.spans[at].Attributes
	attributes["operator.reconcile.queue_wait"] = queue.Seconds()
	attributes["operator.reconcile.trigger"] = "update Kind"
	if again && g.IntN(4) == 0 {
		attributes["operator.reconcile.requeue_reason"] = []string{"error", "conflict", "requeue_after"}[g.IntN(3)]
		attributes["operator.reconcile.delay"] = start.Add(-queue).Sub(g.spans[before].End).Seconds()
	}
	g.causedBy(at, cause)
	g.last[uid] = at
	for range 1 + g.IntN(3) {
		start = start.Add(g.some())
		took := g.some()
		g.write(g.spans[at].SpanID, operator, spantree.KindClient, "update", []int{object, 5 + g.IntN(5)}[g.IntN(2)], start, took)
		start = start.Add(took)
	}
	g.spans[at].End = start.Add(g.some())
	g.write(g.spans[at].SpanID, operator, spantree.KindClient, "update_status", object, start, g.some())
	g.spans[at].End = g.spans[len(g.spans)-1].End
}

const seeds = 200

// The segments follow each other and add up to the total, and the result does not depend on the
// order of the spans.
func TestSegmentsAddUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(seeds) {
		spans := generate(seed, 60)
		e := explained(t, spans)
		if share := float64(e.Unknown) / float64(e.Total); share > 0.05 {
			t.Errorf("seed %d: %.0f %% are unknown:\n%s", seed, 100*share, pathOf(e))
		}
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		if diff := cmp.Diff(e, explained(t, spans)); diff != "" {
			t.Fatalf("seed %d: another order of the spans changes the explanation:\n%s", seed, diff)
		}
		total := time.Duration(0)
		for _, s := range e.Shares() {
			total += s.Duration
		}
		if total != e.Total {
			t.Errorf("seed %d: the shares add up to %s, want %s", seed, total, e.Total)
		}
	}
}

// A span that is neither on the path nor a root has no influence on the path.
func TestOtherSpansDoNotMatter(t *testing.T) {
	t.Parallel()
	removed := 0
	for seed := range uint64(seeds) {
		spans := generate(seed, 40)
		e := explained(t, spans)
		critical, parents := map[string]bool{}, map[string]bool{}
		for _, s := range e.Path {
			critical[s.Span.SpanID] = true
		}
		for _, s := range e.Chain {
			critical[s.SpanID] = true
		}
		for _, s := range spans {
			parents[s.ParentSpanID] = true
		}
		for i, s := range spans {
			if critical[s.SpanID] || parents[s.SpanID] {
				continue
			}
			removed++
			without := explained(t, slices.Delete(slices.Clone(spans), i, i+1))
			if diff := cmp.Diff(pathOf(e), pathOf(without)); diff != "" {
				t.Fatalf("seed %d: without %s %s, which is not on the path:\n%s", seed, s.SpanID, s.Name, diff)
			}
		}
	}
	if removed < seeds {
		t.Errorf("removed %d spans, want at least %d", removed, seeds)
	}
}

// chainOf returns the ids of the chain.
func chainOf(e explain.Explanation) []string {
	var ids []string
	for _, s := range e.Chain {
		ids = append(ids, s.SpanID)
	}
	return ids
}

// Another clock of a service changes neither the chain nor the sum, however wrong it is. As long as
// causes are before their effects, it only changes the time between services.
func TestClocks(t *testing.T) {
	t.Parallel()
	within := func(e explain.Explanation) map[explain.Share]time.Duration {
		found := map[explain.Share]time.Duration{}
		for _, s := range e.Path {
			if s.Reason != explain.ReasonWatch && s.Actor == operator {
				found[explain.Share{Reason: s.Reason, Object: s.Object, Detail: s.Detail + s.Span.SpanID}] += s.Duration
			}
		}
		return found
	}
	for seed := range uint64(seeds) {
		spans := generate(seed, 60)
		e := explained(t, spans)
		for _, shift := range []time.Duration{-time.Hour, -time.Second, -9 * time.Millisecond, 9 * time.Millisecond, time.Second, time.Hour} {
			shifted := slices.Clone(spans)
			for i, s := range shifted {
				if s.Service == operator {
					shifted[i].Start, shifted[i].End = s.Start.Add(shift), s.End.Add(shift)
				}
			}
			got := explained(t, shifted)
			if diff := cmp.Diff(chainOf(e), chainOf(got)); diff != "" {
				t.Fatalf("seed %d: a clock that is wrong by %s changes the chain:\n%s", seed, shift, diff)
			}
			if diff := cmp.Diff(within(e), within(got)); diff != "" && shift.Abs() < watches {
				t.Fatalf("seed %d: a clock that is wrong by %s changes the time in the operator:\n%s", seed, shift, diff)
			}
		}
	}
}

// FuzzOf checks that any spans have an explanation that adds up.
func FuzzOf(f *testing.F) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		data := make([]byte, 300)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := explain.Of(spantree.Build(odd(data)), explain.Options{})
		if err != nil {
			return
		}
		if err := check(e); err != nil {
			t.Errorf("%v\n%s", err, pathOf(e))
		}
	})
}

// odd makes spans of bytes: with cycles, missing parents, any order of times and any attributes.
func odd(data []byte) []spantree.Span {
	const each = 12
	kinds := []string{"CLIENT", "PRODUCER", "CONSUMER", "SERVER", "INTERNAL"}
	names := []string{"reconcile A", "create A", "update_status A", "admit A", "converge A", "get A", "start Pod", "bind Pod", "pull container", "GET", "delete A", ""}
	texts := []string{"", "1", "2", "3", "error", "conflict", "requeue_after", "requeue", "create A", "delete A", "sequence", "unknown"}
	keys := []string{
		"operator.object.uid", "operator.write.resource_version", "operator.reconcile.cause.uid", "operator.reconcile.cause.resource_version",
		"operator.reconcile.requeue_reason", "operator.reconcile.trigger", "operator.reconcile.result", "operator.cause.certainty", "operator.object.name",
	}
	waits := []string{"operator.reconcile.delay", "operator.reconcile.queue_wait", "operator.reconcile.read_wait", "operator.reconcile.rate_limiter_wait", "operator.write.rate_limiter_wait"}
	var spans []spantree.Span
	for ; len(data) >= each; data = data[each:] {
		pick := func(i int, of []string) string { return of[int(data[i])%len(of)] }
		start := epoch.Add(time.Duration(int8(data[0])) * time.Second)
		if data[1] == 0 {
			start = time.Time{}
		}
		s := spantree.Span{
			TraceID: traceID, SpanID: strconv.Itoa(int(data[2]) % 16), ParentSpanID: strconv.Itoa(int(data[3]) % 16), Service: pick(4, []string{"a", "kubelet", "unknown", ""}),
			Kind: pick(5, kinds), Name: pick(6, names), Start: start, End: start.Add(time.Duration(int8(data[1])) * time.Second),
			Attributes: map[string]any{"operator.object.kind": "A", "operator.observed": data[7]%2 == 0, pick(8, keys): pick(9, texts), pick(9, keys): pick(10, texts)},
			Links:      []spantree.Link{{TraceID: traceID, SpanID: strconv.Itoa(int(data[10]) % 16)}},
		}
		s.Attributes[pick(11, waits)] = float64(int8(data[11])) / 4
		if data[7]%3 == 0 {
			s.Events = []spantree.Event{{Name: pick(8, []string{"Ready: False→True", "conflict", "PodScheduled: none→False"})}}
		}
		spans = append(spans, s)
	}
	return spans
}
