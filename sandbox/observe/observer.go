package observe

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// Options are the options of an [Observer]. The zero value is usable.
type Options struct {
	// Export receives finished spans, from one goroutine. nil discards them. Spans of one call can
	// belong to several traces. After an error the observer exports the same spans again a second
	// later, with the next ones; receivers accept a span twice.
	Export func(context.Context, ptrace.Traces) error
	// Recorded returns the spans that operators sent of their own writes in a trace, by the
	// resourceVersion after the write, or by [DeleteOf]. Those writes get no other span, and reactions to them are
	// children of the operators' spans. nil means none. After an error all writes get spans.
	Recorded func(context.Context, trace.TraceID) (map[string]trace.SpanContext, error)
	// Wrote is called with each write after its cause was decided, in the order of
	// resourceVersions. nil ignores them. The Write must not be changed.
	Wrote func(*writes.Write)
	// Exported is called after an export with the highest resourceVersion up to which all spans were
	// exported. nil ignores it.
	Exported func(revision uint64)
	// ExportDelay is how long a span waits for Events about it. Default: one second.
	ExportDelay time.Duration
	// Alone is true if the spans of operators that trace themselves are not shown with the
	// observer's spans: it then has spans for their writes, too.
	Alone bool
	// Applied returns the context of a write that the caller made itself, and whose span it shows with
	// the observer's spans; an invalid one for others. context is on the object. It is used only with
	// Alone. nil means none.
	Applied func(uid types.UID, revision uint64, context trace.SpanContext) trace.SpanContext
	// Failed receives errors of Export and of watches. nil ignores them.
	Failed func(error)
}

// Observer derives writes, causes and spans from changes. Create it with [New]. Its methods are not
// safe for concurrent use, except Fail; a watcher of package feed calls them from one goroutine.
type Observer struct {
	options Options
	store   *writes.Store
	waiting []*writes.Pending
	events  []writes.Change
	starts  map[types.UID]*start
	checked time.Time // when starts were last checked
	// ready are the spans to be exported, with the time when they were finished.
	ready []finished
	// latest has the last span of each object, for Events about it.
	latest map[types.UID]*span
	// decided are the writes that are not reported to Exported; at the bound the latest.
	decided []decided
	// full is true after the store had no room for an object.
	full bool
	// past has the times of the latest resolved writes, in the order of their resourceVersions.
	past []moment
	// next is the earliest time of the next export.
	next time.Time
	// joined has the operators' spans, by the span that the write would have had.
	joined map[trace.SpanID]trace.SpanContext
	// traced are the managers that recorded a write.
	traced map[string]bool
	// held is the time of the first write that waits for its operator's span; zero if none waits.
	held time.Time
	// counts has the number of spans of each trace.
	counts map[trace.TraceID]int
}

type decided struct {
	revision uint64
	at       time.Time
}

type moment struct {
	after uint64
	at    time.Time
}

type finished struct {
	span *span
	at   time.Time
}

// New returns an observer.
func New(o Options) *Observer {
	if o.ExportDelay == 0 {
		o.ExportDelay = time.Second
	}
	store := writes.NewStore(o.Alone)
	store.Applied = o.Applied
	return &Observer{
		options: o, store: store, starts: map[types.UID]*start{}, latest: map[types.UID]*span{}, counts: map[trace.TraceID]int{},
		joined: map[trace.SpanID]trace.SpanContext{}, traced: map[string]bool{},
	}
}

// Add adds a change that a watch delivered. Spans of it are exported by later calls of Advance.
func (o *Observer) Add(c writes.Change) {
	if c.IsEvent() {
		if !c.Deleted && !c.Listed && len(o.events) < maxEvents {
			o.events = append(o.events, c)
		}
		return
	}
	if p := o.store.Put(c); p != nil {
		o.waiting = append(o.waiting, p)
	}
	if o.store.Full() && !o.full {
		o.full = true
		o.Fail(errors.New("too many objects: further ones are not observed"))
	}
}

// Fail reports an error to the option Failed.
func (o *Observer) Fail(err error) {
	if o.options.Failed != nil {
		o.options.Failed(err)
	}
}

// Advance decides the causes of the writes that have waited long enough for earlier ones, and
// exports finished spans. Call it several times a second.
func (o *Observer) Advance(ctx context.Context, now time.Time) {
	o.resolve(now.Add(-reorder))
	o.interruptStarts(now)
	if until := now.Add(-o.options.ExportDelay); !now.Before(o.next) && o.export(ctx, now, until) {
		o.report(until)
	}
	o.store.Sweep(now)
}

// Flush decides all causes and exports everything, also the starts of Pods that are not ready.
func (o *Observer) Flush(ctx context.Context, now time.Time) {
	o.resolve(now)
	for _, s := range o.starts {
		s.last = now
		o.finish(now, append(s.phases(now), s.interrupt()...)...)
	}
	clear(o.starts)
	o.export(ctx, now.Add(recordWait), now) // Nothing waits any more.
}

// Forget forgets all objects and writes. Call it after Flush, if the cluster went back to an earlier
// state: other writes have the same resourceVersions then.
func (o *Observer) Forget() { *o = *New(o.options) }

// resolve decides the causes of writes that arrived until a time, in the order of their
// resourceVersions.
func (o *Observer) resolve(until time.Time) {
	slices.SortStableFunc(o.waiting, func(a, b *writes.Pending) int { return cmp.Compare(a.Write.After, b.Write.After) })
	// A write is as old as any later one: its watch was slower.
	for i := len(o.waiting) - 2; i >= 0; i-- {
		if later := o.waiting[i+1].Write.At; later.Before(o.waiting[i].Write.At) {
			o.waiting[i].Write.At = later
		}
	}
	n := 0
	for n < len(o.waiting) && !o.waiting[n].Write.At.After(until) {
		n++
	}
	for _, p := range o.waiting[:n] {
		o.limit(p.Write)
		o.decide(p)
	}
	o.waiting = slices.Delete(o.waiting, 0, n)
	o.events = slices.DeleteFunc(o.events, func(c writes.Change) bool {
		if c.At.After(until) {
			return false
		}
		o.addEvent(c)
		return true
	})
}

// limit moves the time of a write that arrived after later writes were resolved: the watch of its
// kind started later.
func (o *Observer) limit(w *writes.Write) {
	i, _ := slices.BinarySearchFunc(o.past, w.After+1, func(m moment, after uint64) int { return cmp.Compare(m.after, after) })
	if i < len(o.past) {
		if o.past[i].at.Before(w.At) {
			w.At = o.past[i].at
		}
		return
	}
	if o.past = append(o.past, moment{w.After, w.At}); len(o.past) > maxPast {
		o.past = slices.Delete(o.past, 0, maxPast/2)
	}
}

func (o *Observer) decide(p *writes.Pending) {
	w := o.store.Resolve(p)
	var spans []*span
	if start := o.startOf(w); start != nil && !w.Traced {
		spans = o.kubeletWrote(start, w)
	} else if !w.Traced {
		spans = []*span{spanOf(w)}
	}
	if w.Verb == writes.VerbRemove {
		o.endStart(w)
	}
	if o.options.Wrote != nil {
		o.options.Wrote(w)
	}
	if o.finish(w.At, spans...); o.options.Exported != nil {
		o.decided = append(o.decided, decided{w.After, w.At})
		o.decided = slices.Delete(o.decided, 0, max(0, len(o.decided)-maxUnsent))
	}
}

// addEvent adds an Event to the start of a Pod, or to the last span of its object that is not
// exported yet.
func (o *Observer) addEvent(c writes.Change) {
	text := func(fields ...string) string {
		value, _, _ := unstructured.NestedString(c.Object.Object, fields...)
		return strings.Clone(strings.ToValidUTF8(value[:min(len(value), maxMessage)], ""))
	}
	about := "involvedObject"
	if _, found := c.Object.Object["regarding"]; found {
		about = "regarding"
	}
	uid, reason := types.UID(text(about, "uid")), text("reason")
	message := text("message")
	if message == "" {
		message = text("note")
	}
	if s := o.starts[uid]; s != nil {
		if step, ok := stepOf(reason, text(about, "fieldPath"), message, c.At); ok && len(s.steps) < maxParts {
			s.steps = append(s.steps, step)
			return
		}
	}
	s := o.latest[uid]
	if start := o.starts[uid]; start != nil && !start.sent && len(start.held) > 0 {
		s = start.held[len(start.held)-1]
	}
	if s != nil && len(s.events) < maxParts {
		s.events = append(s.events, event{c.At, reason, map[string]any{"k8s.event.type": text("type"), "k8s.event.message": message}})
	}
}
