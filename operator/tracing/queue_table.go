package tracing

import (
	"slices"
	"sync"
	"time"
)

// queueTable records the requests that are in a queue, or taken from it and not done. It is empty
// before the queue is created and after it is shut down. It is safe for concurrent use. It never
// calls the queue or its rate limiter, because they call it while they hold their own locks.
type queueTable[R comparable] struct {
	mu       sync.Mutex
	opened   bool
	absorbs  bool // an add without a delay makes a delayed request ready; see take
	requests map[R]*queued
	notes    []note[R] // oldest first
	swept    time.Time
}

// queued is a request. Adds while it runs are for its next run.
type queued struct {
	ready arrivals // adds without a delay
	later arrivals // adds with a delay
	run   *run     // nil unless it runs
}

// note is an event that the predicate saw and that may add a request.
type note[R comparable] struct {
	item    R
	trigger trigger
	at      time.Time
}

// open starts with an empty table. A priority queue absorbs: it holds a request only once. A rate
// limiting queue keeps a delayed add apart, and returns the request at the end of the delay even if
// the request was taken meanwhile.
func (t *queueTable[R]) open(absorbs bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened, t.absorbs, t.notes = true, absorbs, nil
	t.requests = map[R]*queued{}
}

// close removes the adds that will not be taken.
func (t *queueTable[R]) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened, t.notes = false, nil
	for item, q := range t.requests {
		if q.ready, q.later = (arrivals{}), (arrivals{}); q.run == nil {
			delete(t.requests, item)
		}
	}
}

// request returns the entry of a request that is added, or nil if the table is full or closed. The
// caller holds the lock.
func (t *queueTable[R]) request(item R, now time.Time) *queued {
	if !t.opened {
		return nil
	}
	if q, ok := t.requests[item]; ok {
		return q
	}
	if len(t.requests) >= maxQueued {
		if t.sweep(now); len(t.requests) >= maxQueued {
			return nil
		}
	}
	q := &queued{}
	t.requests[item] = q
	return q
}

// sweep removes requests that should have been taken long ago, because the queue may have dropped
// them. The caller holds the lock.
func (t *queueTable[R]) sweep(now time.Time) {
	if now.Sub(t.swept) < sweepInterval {
		return
	}
	t.swept = now
	for item, q := range t.requests {
		if q.run == nil && q.ready.lost(now) && q.later.lost(now) {
			delete(t.requests, item)
		}
	}
}

// part returns the adds with or without a delay.
func (q *queued) part(after time.Duration, limited bool) *arrivals {
	if limited || after > 0 {
		return &q.later
	}
	return &q.ready
}

// announce records the trigger of the next add.
func (t *queueTable[R]) announce(item R, after time.Duration, limited bool, why trigger, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.request(item, now)
	if q == nil {
		return
	}
	a := q.part(after, limited)
	a.start(now)
	a.because(why)
	a.announced++
	t.takeNote(item, now, &why) // the predicate saw the same event
}

// add records an add.
func (t *queueTable[R]) add(item R, after time.Duration, limited bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.request(item, now)
	if q == nil {
		return
	}
	a := q.part(after, limited)
	a.start(now)
	switch {
	case after > 0:
		a.readyAt(now.Add(after))
	case !limited:
		a.readyAt(now)
	}
	switch {
	case a.announced > 0:
		a.announced--
	case a == &q.ready:
		if why, ok := t.takeNote(item, now, nil); ok {
			a.because(why)
		}
	default:
		if reason := q.run.asks(); reason != requeueNone { // the controller requeues the request
			a.reason = reason
			return
		}
	}
	a.events++
}

// limited records when the rate limiter lets the request be ready.
func (t *queueTable[R]) limited(item R, ready time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q, ok := t.requests[item]; ok && q.later.any() {
		q.later.readyAt(ready)
	}
}

// take records that a worker took the request. For an unknown request it records only the attempt.
// The number of workers bounds these entries.
func (t *queueTable[R]) take(item R, attempt int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q, ok := t.requests[item]
	if !ok {
		q = &queued{}
		if t.requests == nil {
			t.requests = map[R]*queued{}
		}
		t.requests[item] = q
	}
	r := &run{arrivals: q.ready, attempt: attempt, taken: now}
	q.ready = arrivals{}
	if q.later.any() && (t.absorbs || !r.any() || !q.later.ready.After(now)) {
		if !q.later.ready.IsZero() && (!r.any() || q.later.ready.Before(r.ready)) { // otherwise an event ended the delay
			r.held = q.later.ready.Sub(q.later.first)
		}
		r.merge(q.later)
		q.later = arrivals{}
	}
	q.run = r
}

// running returns the record of a request that was taken, or nil.
func (t *queueTable[R]) running(item R) *run {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q, ok := t.requests[item]; ok {
		return q.run
	}
	return nil
}

// done records that the request no longer runs.
func (t *queueTable[R]) done(item R) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q, ok := t.requests[item]; ok {
		if q.run = nil; !q.ready.any() && !q.later.any() {
			delete(t.requests, item)
		}
	}
}

// forget removes a request.
func (t *queueTable[R]) forget(item R) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.requests, item)
}

// note stores an event for requests that may be added because of it.
func (t *queueTable[R]) note(item R, why trigger, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.opened {
		return
	}
	if len(t.notes) >= maxNotes {
		t.notes = slices.Delete(t.notes, 0, maxNotes/4)
	}
	t.notes = append(t.notes, note[R]{item, why, now})
}

// takeNote returns the last event about a request and removes it. If why is not nil, it only
// considers that event. The last event is correct if the handler runs right after the predicate. If
// several goroutines mix their events, each goroutine gets one of them. The caller holds the lock.
func (t *queueTable[R]) takeNote(item R, now time.Time, why *trigger) (trigger, bool) {
	for i := len(t.notes) - 1; i >= 0; i-- {
		n := &t.notes[i]
		if now.Sub(n.at) > maxNoteAge {
			clear(t.notes[:i+1])
			t.notes = t.notes[i+1:]
			break
		}
		if n.item == item && (why == nil || n.trigger.sameEvent(why)) {
			found := n.trigger
			t.notes = slices.Delete(t.notes, i, i+1)
			return found, true
		}
	}
	return trigger{}, false
}
