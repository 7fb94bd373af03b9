package inject

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/wire"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var (
	// ErrCut is the error of a request with a cut connection. A proxy must close the connection of
	// the operator for it, for example with panic(http.ErrAbortHandler).
	ErrCut = errors.New("connection cut by a fault")
	// ErrKilled is the error of all requests of a killed operator. A proxy must treat it as ErrCut.
	ErrKilled = errors.New("operator killed by a fault")
)

// Options configure an Injector.
type Options struct {
	// Namespace is the namespace of the run. Events in other namespaces are not recorded. Empty
	// means that the run has none, and all events count.
	Namespace string
	// Plan is the fault to inject, and Recording the recording that it refers to. The zero Plan
	// injects nothing.
	Plan      plan.Plan
	Recording *plan.Recording
	// Kill kills the operator. The Injector calls it at most once, before it ends the request with
	// ErrKilled, and outside of its locks. Kill must not wait for requests of the operator to end. It
	// should return only when a separate process is dead.
	Kill func()
	// LeaderChange changes the leader, for the fault of that name.
	LeaderChange func()
	// Delay is the time for which WatchDelay and StaleRead hold an event at most (default 2 s).
	Delay time.Duration
	// Outage is the duration of Unavailable (default 5 s).
	Outage time.Duration
	// Hold is how late LostAnswerTimeout answers, unless the client's context ends before (default 1 s).
	Hold time.Duration
}

// Injector records the requests of an operator and injects the fault of a plan. Create one for each
// run. It is safe for concurrent use.
type Injector struct {
	o      Options
	next   http.RoundTripper
	target plan.Identity
	killed chan struct{}
	names  *wire.Names

	mu          sync.Mutex
	step        string
	current     *incarnation
	recording   plan.Recording
	started     map[plan.Identity]int      // writes and triggers, without their ordinals
	versions    map[wire.Object]string     // the last known resourceVersion
	written     map[wire.Object]bool       // by the operator
	past        map[wire.Object][]*version // for StaleRead
	delivered   map[delivery]int           // the index of the trigger
	streams     map[*stream]struct{}
	lastRequest time.Time

	fired  bool
	hit    delivery        // the event that the fault hits
	relist map[string]bool // watches that were cut, by what they watch; true after the answer 410
	stale  *staleObject
	down   time.Time // the end of the outage

	active       int // writes and faults in progress
	lastActivity time.Time
	faultEnd     time.Time // of a fault or restart
}

// delivery is a version of an object, as a watch delivers it.
type delivery struct {
	wire.Object
	eventType, resourceVersion string
}

// incarnation is one life of the operator. Its fields are protected by Injector.mu.
type incarnation struct {
	number int
	dead   bool
}

// New returns an Injector for one run that sends requests to next. It returns an error if the
// recording does not have the write or trigger of the plan. If next is nil, use Wrap.
func New(next http.RoundTripper, o Options) (*Injector, error) {
	o.Delay = cmp.Or(o.Delay, 2*time.Second)
	o.Outage = cmp.Or(o.Outage, 5*time.Second)
	o.Hold = cmp.Or(o.Hold, time.Second)
	i := &Injector{
		o: o, next: next,
		killed:       make(chan struct{}),
		names:        wire.NewNames(o.Namespace),
		current:      &incarnation{},
		recording:    plan.Recording{Namespace: o.Namespace},
		started:      map[plan.Identity]int{},
		versions:     map[wire.Object]string{},
		written:      map[wire.Object]bool{},
		past:         map[wire.Object][]*version{},
		delivered:    map[delivery]int{},
		streams:      map[*stream]struct{}{},
		relist:       map[string]bool{},
		lastRequest:  time.Now(),
		lastActivity: time.Now(),
	}
	var err error
	i.target, err = o.Recording.Target(o.Plan)
	return i, err
}

// Killed is closed when a fault kills the operator.
func (i *Injector) Killed() <-chan struct{} { return i.killed }

// Restart starts the next incarnation: requests pass again. Call it before the operator restarts.
func (i *Injector) Restart() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.current.dead = true
	i.current = &incarnation{number: i.current.number + 1}
	i.cutStreams(ErrKilled)
	i.lastActivity, i.faultEnd = time.Now(), time.Now()
}

// Step names the step of the run, for example "apply". Writes that start from now on belong to it.
func (i *Injector) Step(name string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.step == "" {
		i.recording.Watched = i.synced()
	}
	i.step = name
	i.lastActivity = time.Now()
}

// Fired reports whether the fault was injected.
func (i *Injector) Fired() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fired
}

// Synced reports whether the current incarnation has an open watch with a complete initial list for
// each of these resources. Without resources, it reports whether there is any such watch, and no
// request has started for a quarter of a second.
func (i *Injector) Synced(watched []plan.Resource) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.current.dead {
		return false
	}
	open := i.synced()
	if len(watched) == 0 {
		return len(open) > 0 && time.Since(i.lastRequest) > 250*time.Millisecond
	}
	return !slices.ContainsFunc(watched, func(r plan.Resource) bool { return !slices.Contains(open, r) })
}

// synced returns the resources with a complete watch. The caller holds the lock.
func (i *Injector) synced() []plan.Resource {
	set := map[plan.Resource]bool{}
	for s := range i.streams {
		if s.synced && !wire.IsNoise(s.request.Group, s.request.Resource) {
			set[plan.Resource{GroupVersionResource: s.request.GVR()}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), plan.Resource.Compare)
}

// Quiet returns for how long there has been no activity: no write, no fault in progress, and no
// restart. It returns 0 while a write or a fault is in progress.
func (i *Injector) Quiet() time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.current.dead || i.active > 0 || len(i.relist) > 0 {
		return 0
	}
	return max(0, time.Since(i.lastActivity))
}

// lastFault returns the end of the last fault or restart. It returns now if one is in progress, and
// the zero time if there was none.
func (i *Injector) lastFault() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.current.dead || i.stale != nil || len(i.relist) > 0 || time.Now().Before(i.down) {
		return time.Now()
	}
	return i.faultEnd
}

// Recording returns a copy of what was recorded so far.
func (i *Injector) Recording() *plan.Recording {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := i.recording
	out.Writes = slices.Clone(out.Writes)
	out.Triggers = slices.Clone(out.Triggers)
	return &out
}

// enter marks the start of a write or fault, and end its end. Callers of enter hold the lock.
func (i *Injector) enter() {
	i.active++
	i.lastActivity = time.Now()
}

func (i *Injector) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.active--
	i.lastActivity = time.Now()
}

// endFault marks the end of a fault that took some time.
func (i *Injector) endFault() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.active--
	i.lastActivity, i.faultEnd = time.Now(), time.Now()
}

// kill kills an incarnation. It returns when the caller's hook has.
func (i *Injector) kill(c *incarnation) {
	i.mu.Lock()
	if c.dead {
		i.mu.Unlock()
		return
	}
	c.dead = true
	i.cutStreams(ErrKilled)
	close(i.killed)
	i.mu.Unlock()
	if i.o.Kill != nil {
		i.o.Kill()
	}
}

// cutStreams ends all watches with an error. The caller holds the lock.
func (i *Injector) cutStreams(err error) {
	for s := range i.streams {
		s.cancel(err)
	}
	clear(i.streams)
}

// outage starts the fault Unavailable.
func (i *Injector) outage() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.enter()
	i.down = time.Now().Add(i.o.Outage)
	i.cutStreams(ErrCut)
	time.AfterFunc(i.o.Outage, i.endFault)
}
