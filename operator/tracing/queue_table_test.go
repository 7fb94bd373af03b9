package tracing

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// timeline is a table at a time that the test tells.
type timeline struct {
	t     *testing.T
	table queueTable[string]
	now   time.Time
}

func newTimeline(t *testing.T, absorbs bool) *timeline {
	t.Helper()
	l := &timeline{t: t, now: time.Unix(1000, 0)}
	l.table.open(absorbs)
	return l
}

func (l *timeline) pass(d time.Duration)     { l.now = l.now.Add(d) }
func (l *timeline) add()                     { l.table.add("x", 0, false, l.now) }
func (l *timeline) addAfter(d time.Duration) { l.table.add("x", d, false, l.now) }
func (l *timeline) addLimited()              { l.table.add("x", 0, true, l.now) }
func (l *timeline) limited(d time.Duration)  { l.table.limited("x", l.now.Add(d)) }
func (l *timeline) take() *run               { l.table.take("x", 1, l.now); return l.table.running("x") }
func (l *timeline) done()                    { l.table.done("x") }

// event is one that the predicate sees, and the add that follows.
func (l *timeline) event(trigger string, sc trace.SpanContext) {
	l.table.note("x", cause{trigger, sc}, l.now)
	l.add()
}

func attributesOf(r *run) map[attribute.Key]any {
	out := map[attribute.Key]any{}
	for _, kv := range r.attributes(nil) {
		out[kv.Key] = kv.Value.AsInterface()
	}
	return out
}

// TestQueueTable plays what happens to a request until it is taken. The attempt is 1 everywhere, for the
// rate limiter knows it.
func TestQueueTable(t *testing.T) {
	const priority, plain = true, false
	both := []bool{priority, plain}
	for name, tc := range map[string]struct {
		kinds []bool
		play  func(*timeline)
		want  map[attribute.Key]any // but for the attempt
		links int
	}{
		"nothing is known": {both, func(*timeline) {}, nil, 0},
		"waits":            {both, func(l *timeline) { l.add(); l.pass(2 * time.Second) }, map[attribute.Key]any{ReconcileQueueWaitKey: 2.0}, 0},
		"the clock goes back": {both, func(l *timeline) { l.add(); l.pass(-time.Second) },
			map[attribute.Key]any{ReconcileQueueWaitKey: 0.0}, 0},
		"three events": {both, func(l *timeline) {
			l.event("create A", sampledContext(1))
			l.pass(time.Second)
			l.event("update A", sampledContext(2))
			l.event("update B", sampledContext(1))
			l.pass(time.Second)
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 2.0, ReconcileEventsKey: int64(3), ReconcileTriggerKey: "create A"}, 2},
		"an event without a context": {both, func(l *timeline) { l.event("create A", trace.SpanContext{}) },
			map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "create A"}, 0},
		"an add without a known trigger, then one with": {both, func(l *timeline) { l.add(); l.event("create A", sampledContext(1)) },
			map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "create A", ReconcileEventsKey: int64(2)}, 1},
		"a delay": {both, func(l *timeline) { l.addAfter(10 * time.Second); l.pass(11 * time.Second) },
			map[attribute.Key]any{ReconcileQueueWaitKey: 1.0, ReconcileDelayKey: 10.0}, 0},
		"the shorter of two delays": {both, func(l *timeline) {
			l.addAfter(10 * time.Second)
			l.pass(time.Second)
			l.addAfter(2 * time.Second)
			l.addAfter(20 * time.Second)
			l.pass(3 * time.Second)
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 1.0, ReconcileDelayKey: 3.0, ReconcileEventsKey: int64(3)}, 0},
		"no delay at all": {both, func(l *timeline) { l.addAfter(-time.Second); l.pass(time.Second) },
			map[attribute.Key]any{ReconcileQueueWaitKey: 1.0}, 0},
		"rate limited": {both, func(l *timeline) { l.addLimited(); l.limited(5 * time.Second); l.pass(6 * time.Second) },
			map[attribute.Key]any{ReconcileQueueWaitKey: 1.0, ReconcileDelayKey: 5.0}, 0},
		"rate limited by an unknown limiter": {both, func(l *timeline) { l.addLimited(); l.pass(time.Second) }, nil, 0},
		"a limiter that knows another request": {both, func(l *timeline) { l.add(); l.limited(5 * time.Second); l.pass(time.Second) },
			map[attribute.Key]any{ReconcileQueueWaitKey: 1.0}, 0},
		"an event that ends a delay": {[]bool{priority}, func(l *timeline) {
			l.addAfter(time.Hour)
			l.pass(3 * time.Second)
			l.event("update A", sampledContext(1))
			l.pass(time.Second)
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 1.0, ReconcileDelayKey: 3.0, ReconcileTriggerKey: "update A", ReconcileEventsKey: int64(2)}, 1},
		"an event that leaves a delay as it is": {[]bool{plain}, func(l *timeline) {
			l.addAfter(time.Hour)
			l.pass(3 * time.Second)
			l.event("update A", sampledContext(1))
			l.pass(time.Second)
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 1.0, ReconcileTriggerKey: "update A"}, 1},
		"a delay that an event left as it was": {[]bool{plain}, func(l *timeline) {
			l.addAfter(time.Minute)
			l.event("update A", sampledContext(1))
			l.take()
			l.done()
			l.pass(time.Minute)
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileDelayKey: 60.0}, 0},
		"a delay that is over joins the event": {both, func(l *timeline) {
			l.addAfter(time.Second)
			l.pass(3 * time.Second)
			l.event("update A", sampledContext(1))
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 2.0, ReconcileDelayKey: 1.0, ReconcileTriggerKey: "update A", ReconcileEventsKey: int64(2)}, 1},
		"an add while it runs": {both, func(l *timeline) {
			l.event("create A", sampledContext(1))
			l.take()
			l.pass(time.Second)
			l.event("update A", sampledContext(2))
			l.pass(time.Second)
			l.done()
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 1.0, ReconcileTriggerKey: "update A"}, 1},
		"asked for again": {both, func(l *timeline) {
			l.add()
			l.take().ends(requeueConflict)
			l.addLimited()
			l.limited(time.Second)
			l.done()
			l.pass(time.Second)
		}, map[attribute.Key]any{
			ReconcileQueueWaitKey: 0.0, ReconcileDelayKey: 1.0, ReconcileTriggerKey: "requeue", ReconcileRequeueReasonKey: "conflict",
		}, 0},
		"asked for again, and an event came": {[]bool{priority}, func(l *timeline) {
			l.add()
			l.take().ends(requeueAfter)
			l.addAfter(time.Hour)
			l.done()
			l.event("update A", sampledContext(1))
		}, map[attribute.Key]any{
			ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "update A", ReconcileRequeueReasonKey: "requeue_after",
		}, 1},
		"asked for once, added twice": {both, func(l *timeline) {
			l.take().ends(requeueError)
			l.addLimited()
			l.limited(0)
			l.done()
			l.take()
			l.addAfter(time.Second)
			l.pass(time.Second)
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileDelayKey: 1.0}, 0},
		"a plain add is no requeue": {both, func(l *timeline) { l.take().ends(requeueError); l.add() },
			map[attribute.Key]any{ReconcileQueueWaitKey: 0.0}, 0},
		"an event of long ago": {both, func(l *timeline) {
			l.table.note("x", cause{"update A", sampledContext(1)}, l.now)
			l.pass(maxNoteAge + 1)
			l.add()
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0}, 0},
		"an event of just then": {both, func(l *timeline) {
			l.table.note("x", cause{"update A", sampledContext(1)}, l.now)
			l.pass(maxNoteAge)
			l.add()
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "update A"}, 1},
		"an event about another request": {both, func(l *timeline) {
			l.table.note("y", cause{"update A", sampledContext(1)}, l.now)
			l.add()
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0}, 0},
		"the later of two events explains one add": {both, func(l *timeline) {
			l.table.note("x", cause{"update A", sampledContext(1)}, l.now)
			l.event("update B", sampledContext(2))
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "update B"}, 1},
		"an event does not explain a delayed add": {both, func(l *timeline) {
			l.table.note("x", cause{"update A", sampledContext(1)}, l.now)
			l.addAfter(time.Second)
			l.pass(time.Second)
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileDelayKey: 1.0}, 0},
		"an announced add, delayed, seen by the predicate too": {both, func(l *timeline) {
			c := cause{"update A", sampledContext(1)}
			l.table.note("x", c, l.now)
			l.table.announce("x", time.Second, false, c, l.now)
			l.addAfter(time.Second)
			l.add()
			l.pass(2 * time.Second)
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 2.0, ReconcileTriggerKey: "update A", ReconcileEventsKey: int64(2)}, 1},
		"an announced add takes no other's event": {both, func(l *timeline) {
			l.table.note("x", cause{"update B", sampledContext(2)}, l.now)
			l.table.announce("x", 0, false, cause{"update A", sampledContext(1)}, l.now)
			l.add()
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "update A"}, 1},
		"many contexts": {both, func(l *timeline) {
			for i := range byte(30) {
				l.event("update A", sampledContext(i+1))
			}
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "update A", ReconcileEventsKey: int64(30)}, maxLinks},
	} {
		for _, kind := range tc.kinds {
			t.Run(name+map[bool]string{priority: ", priority queue", plain: ", rate limiting queue"}[kind], func(t *testing.T) {
				l := newTimeline(t, kind)
				tc.play(l)
				r := l.take()
				if diff := cmp.Diff(with(tc.want, map[attribute.Key]any{ReconcileAttemptKey: int64(1)}), attributesOf(r)); diff != "" {
					t.Errorf("attributes, wanted and got:\n%s", diff)
				}
				if got := len(r.links(relation{})); got != tc.links {
					t.Errorf("%d links, want %d", got, tc.links)
				}
			})
		}
	}
}

// TestQueueTableForgets: what is done, or will not be taken any more, leaves nothing behind.
func TestQueueTableForgets(t *testing.T) {
	l := newTimeline(t, true)
	l.event("create A", sampledContext(1))
	l.take()
	l.done()
	if n := len(l.table.requests); n != 0 {
		t.Errorf("%d requests are left after the only one is done", n)
	}
	if l.table.running("x") != nil {
		t.Error("a request that is done still runs")
	}

	l.take()
	l.add()
	l.table.add("y", time.Hour, false, l.now)
	l.table.note("z", cause{}, l.now)
	l.table.close()
	l.add()
	l.table.add("z", 0, false, l.now)
	l.table.note("z", cause{}, l.now)
	if n := len(l.table.requests); n != 1 || len(l.table.notes) != 0 {
		t.Errorf("after the shutdown there are %d requests and %d events, want the running one", n, len(l.table.notes))
	}
	if l.done(); len(l.table.requests) != 0 {
		t.Error("the request that ran during the shutdown is left")
	}
}

// TestQueueTableBeforeItsQueue: events may come to a controller whose queue is not decorated.
func TestQueueTableBeforeItsQueue(t *testing.T) {
	var table queueTable[string]
	now := time.Now()
	table.note("x", cause{}, now)
	table.announce("x", 0, false, cause{}, now)
	table.add("x", 0, false, now)
	table.limited("x", now)
	table.done("x")
	table.forget("x")
	table.close()
	if len(table.requests) != 0 || len(table.notes) != 0 {
		t.Errorf("%d requests and %d events are kept for nobody", len(table.requests), len(table.notes))
	}
}

func TestQueueTableAtTheCap(t *testing.T) {
	l := newTimeline(t, true)
	l.add()
	l.take()
	for i := range maxQueued - 2 {
		l.table.add(strconv.Itoa(i), 0, false, l.now)
	}
	l.table.add("late", 2*maxQueuedAge, false, l.now) // the last that has room
	l.table.announce("refused", 0, false, cause{"create A", sampledContext(1)}, l.now)
	l.table.add("refused", 0, false, l.now)
	if n := len(l.table.requests); n != maxQueued {
		t.Fatalf("%d requests are recorded, want %d", n, maxQueued)
	}
	l.pass(time.Second)
	l.table.take("refused", 3, l.now)
	if diff := cmp.Diff(map[attribute.Key]any{ReconcileAttemptKey: int64(3)}, attributesOf(l.table.running("refused"))); diff != "" {
		t.Errorf("a request beyond the cap, wanted and got:\n%s", diff)
	}
	l.table.done("refused")
	l.event("update A", sampledContext(1)) // runs, and has its place
	l.done()
	if got := attributesOf(l.take())[ReconcileTriggerKey]; got != "update A" {
		t.Errorf("the trigger of a recorded request is %v", got)
	}

	l.pass(maxQueuedAge + time.Second) // the queue has lost all of them
	l.table.add("new", 0, false, l.now)
	if n := len(l.table.requests); n != 3 {
		t.Errorf("%d requests are recorded, want the running one, the late one and the new one", n)
	}
}

func TestEventsAtTheCap(t *testing.T) {
	l := newTimeline(t, true)
	for i := range maxNotes + 1 {
		l.table.note(strconv.Itoa(i), cause{trigger: "update A"}, l.now)
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
		t.Errorf("%d events are remembered beyond their time", len(l.table.notes))
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
			r := &run{arrivals: arrivals{contexts: tc.contexts}}
			var got []trace.SpanContext
			for _, l := range r.links(tc.relation) {
				got = append(got, l.SpanContext)
			}
			if diff := cmp.Diff(tc.want, got, cmp.Comparer(sameSpan)); diff != "" {
				t.Errorf("links, wanted and got:\n%s", diff)
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
