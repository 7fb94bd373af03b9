package tracing

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// TestQueueTableForgets: the table drops requests that are done or will not be taken.
func TestQueueTableForgets(t *testing.T) {
	l := newTimeline(t, true)
	l.event("create A", sampledContext(1))
	l.take()
	l.done()
	if n := len(l.table.requests); n != 0 {
		t.Errorf("%d requests left after the only one is done, want 0", n)
	}
	if l.table.running("x") != nil {
		t.Error("a request that is done still runs")
	}

	l.take()
	l.add()
	l.table.add("y", time.Hour, false, l.now)
	l.table.note("z", trigger{}, l.now)
	l.table.close()
	l.add()
	l.table.add("z", 0, false, l.now)
	l.table.note("z", trigger{}, l.now)
	if n := len(l.table.requests); n != 1 || len(l.table.notes) != 0 {
		t.Errorf("after the shutdown there are %d requests and %d events, want the running one", n, len(l.table.notes))
	}
	if l.done(); len(l.table.requests) != 0 {
		t.Error("the request that ran during the shutdown is left")
	}
}

// TestQueueTableBeforeItsQueue: a controller whose queue is not decorated records nothing.
func TestQueueTableBeforeItsQueue(t *testing.T) {
	var table queueTable[string]
	now := time.Now()
	table.note("x", trigger{}, now)
	table.announce("x", 0, false, trigger{}, now)
	table.add("x", 0, false, now)
	table.limited("x", now)
	table.done("x")
	table.forget("x")
	table.close()
	if len(table.requests) != 0 || len(table.notes) != 0 {
		t.Errorf("kept %d requests and %d events, want none", len(table.requests), len(table.notes))
	}
}

func TestQueueTableAtTheCap(t *testing.T) {
	l := newTimeline(t, true)
	l.add()
	l.take()
	for i := range maxQueued - 2 {
		l.table.add(strconv.Itoa(i), 0, false, l.now)
	}
	l.table.add("late", 2*maxQueuedAge, false, l.now) // the last one before the bound
	l.table.announce("refused", 0, false, triggered("create A", sampledContext(1)), l.now)
	l.table.add("refused", 0, false, l.now)
	if n := len(l.table.requests); n != maxQueued {
		t.Fatalf("%d requests are recorded, want %d", n, maxQueued)
	}
	l.pass(time.Second)
	l.table.take("refused", 3, l.now)
	if diff := cmp.Diff(map[attribute.Key]any{ReconcileAttemptKey: int64(3)}, attributesOf(l.table.running("refused"))); diff != "" {
		t.Errorf("a request beyond the bound (-want +got):\n%s", diff)
	}
	l.table.done("refused")
	l.event("update A", sampledContext(1)) // runs, so its entry stays
	l.done()
	if got := attributesOf(l.take())[ReconcileTriggerKey]; got != "update A" {
		t.Errorf("the trigger of a recorded request is %v", got)
	}

	l.pass(maxQueuedAge + time.Second) // all of them count as lost now
	l.table.add("new", 0, false, l.now)
	if n := len(l.table.requests); n != 3 {
		t.Errorf("%d requests are recorded, want the running one, the late one and the new one", n)
	}
}

func TestEventsAtTheCap(t *testing.T) {
	l := newTimeline(t, true)
	for i := range maxNotes + 1 {
		l.table.note(strconv.Itoa(i), trigger{text: "update A"}, l.now)
	}
	if n := len(l.table.notes); n != maxNotes-maxNotes/4+1 {
		t.Errorf("%d events are remembered", n)
	}
	for item, want := range map[string]any{"0": nil, "255": nil, "256": "update A", "1024": "update A"} {
		l.table.add(item, 0, false, l.now)
		l.table.take(item, 1, l.now)
		if got := attributesOf(l.table.running(item))[ReconcileTriggerKey]; got != want {
			t.Errorf("the trigger of %s is %v, want %v", item, got, want)
		}
	}
	l.pass(maxNoteAge + 1)
	if l.add(); len(l.table.notes) != 0 {
		t.Errorf("%d events left after maxNoteAge, want 0", len(l.table.notes))
	}
}

func TestQueueLinks(t *testing.T) {
	parent := func(sc trace.SpanContext) relation { return relation{parent: sc} }
	inTrace := func(sc trace.SpanContext, span byte) trace.SpanContext { return sc.WithSpanID(trace.SpanID{span}) }
	root := parent(trace.NewSpanContext(trace.SpanContextConfig{TraceID: sampledContext(1).TraceID(), Remote: true}))
	for name, tc := range map[string]struct {
		relation relation
		contexts []trace.SpanContext
		want     []trace.SpanContext
	}{
		"the superseded one": {parent(sampledContext(2)),
			[]trace.SpanContext{sampledContext(1), sampledContext(2)}, []trace.SpanContext{sampledContext(1)}},
		"the parent's trace":     {parent(sampledContext(1)), []trace.SpanContext{inTrace(sampledContext(1), 9)}, nil},
		"the generation's trace": {root, []trace.SpanContext{sampledContext(1), sampledContext(2)}, []trace.SpanContext{sampledContext(2)}},
		"stale": {relation{links: []trace.Link{{SpanContext: sampledContext(1)}}},
			[]trace.SpanContext{sampledContext(1), inTrace(sampledContext(1), 9)},
			[]trace.SpanContext{sampledContext(1), inTrace(sampledContext(1), 9)}},
		"as many as there may be": {relation{links: []trace.Link{{SpanContext: sampledContext(99)}}},
			sampledContexts(10), append([]trace.SpanContext{sampledContext(99)}, sampledContexts(9)...)},
	} {
		t.Run(name, func(t *testing.T) {
			r := &run{}
			for _, sc := range tc.contexts {
				r.because(triggered("update A", sc))
			}
			var got []trace.SpanContext
			for _, l := range r.links(tc.relation, newCausality(10)) {
				got = append(got, l.SpanContext)
			}
			if diff := cmp.Diff(tc.want, got, cmp.Comparer(sameSpan)); diff != "" {
				t.Errorf("links (-want +got):\n%s", diff)
			}
		})
	}
}

func sampledContexts(n byte) (out []trace.SpanContext) {
	for i := range n {
		out = append(out, sampledContext(i+1))
	}
	return out
}

// TestQueueTableIsNotSweptAtEachAdd: adds to a full table without lost requests stay cheap.
func TestQueueTableIsNotSweptAtEachAdd(t *testing.T) {
	l := newTimeline(t, true)
	l.table.add("old", 0, false, l.now)
	l.pass(maxQueuedAge - sweepInterval/2)
	for i := range maxQueued {
		l.table.add(strconv.Itoa(i), 0, false, l.now) // the last add is rejected, because no request is lost
	}
	recorded := func() bool { l.add(); return l.table.requests["x"] != nil }
	if l.pass(sweepInterval/2 + 1); recorded() {
		t.Error("the table was swept again within the interval")
	}
	if l.pass(sweepInterval); !recorded() {
		t.Error("the table was not swept")
	}
}
