package inject

import (
	"errors"
	"net/http"
	"time"
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
	Plan      Plan
	Recording *Recording
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
type Injector struct{}

// New returns an Injector for one run that sends requests to next. It returns an error if the
// recording does not have the write or trigger of the plan. If next is nil, use Wrap.
func New(next http.RoundTripper, o Options) (*Injector, error) { panic("TODO") }

// RoundTrip implements http.RoundTripper for the current incarnation of the operator.
func (i *Injector) RoundTrip(req *http.Request) (*http.Response, error) { panic("TODO") }

// Wrap returns a transport for the incarnation that is current now. After a kill its requests fail
// for ever, even when the next incarnation runs. It fits rest.Config.Wrap.
func (i *Injector) Wrap(next http.RoundTripper) http.RoundTripper { panic("TODO") }

// Killed is closed when a fault kills the operator.
func (i *Injector) Killed() <-chan struct{} { panic("TODO") }

// Restart starts the next incarnation: requests pass again. Call it before the operator restarts.
func (i *Injector) Restart() { panic("TODO") }

// Step names the step of the run, for example "apply". Writes that start from now on belong to it.
func (i *Injector) Step(name string) { panic("TODO") }

// Fired reports whether the fault was injected.
func (i *Injector) Fired() bool { panic("TODO") }

// Synced reports whether the current incarnation has an open watch with a complete initial list for
// each of these resources.
func (i *Injector) Synced(watched []Resource) bool { panic("TODO") }

// Quiet returns for how long there has been no activity: no write, no fault in progress, and no
// restart. It returns 0 while a write or a fault is in progress.
func (i *Injector) Quiet() time.Duration { panic("TODO") }

// Recording returns a copy of what was recorded so far.
func (i *Injector) Recording() *Recording { panic("TODO") }
