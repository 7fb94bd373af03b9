package tracing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// timeline is a table with a clock that the test sets.
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

// event is an event that the predicate sees, followed by an add.
func (l *timeline) event(text string, sc trace.SpanContext) {
	l.table.note("x", triggered(text, sc), l.now)
	l.add()
}

// triggered is the event of an object with a context. Each context has its own version.
func triggered(text string, sc trace.SpanContext) trigger {
	return trigger{text: text, version: sc.SpanID().String(), stored: carried{sc: sc}}
}

func attributesOf(r *run) map[attribute.Key]any {
	out := map[attribute.Key]any{}
	for _, kv := range r.attributes(nil, newCausality(10)) {
		if kv.Key != ReconcileCauseVersionKey {
			out[kv.Key] = kv.Value.AsInterface()
		}
	}
	return out
}

// TestQueueTable records the adds of a request until it is taken. The attempt is always 1, because
// only the rate limiter counts attempts.
func TestQueueTable(t *testing.T) {
	const priority, plain = true, false
	both := []bool{priority, plain}
	for name, tc := range map[string]struct {
		kinds []bool
		play  func(*timeline)
		want  map[attribute.Key]any // without the attempt
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
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 1.0, ReconcileTriggerKey: "update A", ReconcileEventsKey: int64(2)}, 1},
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
		"a plain add is not a requeue": {both, func(l *timeline) { l.take().ends(requeueError); l.add() },
			map[attribute.Key]any{ReconcileQueueWaitKey: 0.0}, 0},
		"an event of long ago": {both, func(l *timeline) {
			l.table.note("x", triggered("update A", sampledContext(1)), l.now)
			l.pass(maxNoteAge + 1)
			l.add()
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0}, 0},
		"an event of just then": {both, func(l *timeline) {
			l.table.note("x", triggered("update A", sampledContext(1)), l.now)
			l.pass(maxNoteAge)
			l.add()
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "update A"}, 1},
		"an event about another request": {both, func(l *timeline) {
			l.table.note("y", triggered("update A", sampledContext(1)), l.now)
			l.add()
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0}, 0},
		"the later of two events explains one add": {both, func(l *timeline) {
			l.table.note("x", triggered("update A", sampledContext(1)), l.now)
			l.event("update B", sampledContext(2))
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "update B"}, 1},
		"an event does not explain a delayed add": {both, func(l *timeline) {
			l.table.note("x", triggered("update A", sampledContext(1)), l.now)
			l.addAfter(time.Second)
			l.pass(time.Second)
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0, ReconcileDelayKey: 1.0}, 0},
		"an announced add, delayed, seen by the predicate too": {both, func(l *timeline) {
			c := triggered("update A", sampledContext(1))
			l.table.note("x", c, l.now)
			l.table.announce("x", time.Second, false, c, l.now)
			l.addAfter(time.Second)
			l.add()
			l.pass(2 * time.Second)
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 2.0, ReconcileTriggerKey: "update A", ReconcileEventsKey: int64(2)}, 1},
		"an event that was announced is not told again": {both, func(l *timeline) {
			c := triggered("update A", sampledContext(1))
			l.table.note("x", c, l.now)
			l.table.announce("x", 0, false, c, l.now)
			l.add()
			l.take()
			l.done()
			l.add()
		}, map[attribute.Key]any{ReconcileQueueWaitKey: 0.0}, 0},
		"an announced add takes no other's event": {both, func(l *timeline) {
			l.table.note("x", triggered("update B", sampledContext(2)), l.now)
			l.table.announce("x", 0, false, triggered("update A", sampledContext(1)), l.now)
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
					t.Errorf("attributes (-want +got):\n%s", diff)
				}
				if got := len(r.links(relation{}, newCausality(10))); got != tc.links {
					t.Errorf("%d links, want %d", got, tc.links)
				}
			})
		}
	}
}
