package plan

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fault is one kind of fault.
type Fault string

// The faults of a write.
const (
	// Refuse500 answers the write with an internal error, without applying it.
	Refuse500 Fault = "refuse-500"
	// Refuse429 answers the write with Too Many Requests and Retry-After, without applying it.
	Refuse429 Fault = "refuse-429"
	// Refuse409 answers the write with a conflict, without applying it.
	Refuse409 Fault = "refuse-409"
	// LostAnswer applies the write and cuts the connection instead of answering.
	LostAnswer Fault = "lost-answer"
	// LostAnswerTimeout applies the write and answers it late with a gateway time-out.
	LostAnswerTimeout Fault = "lost-answer-timeout"
	// KillBefore kills the operator instead of applying the write.
	KillBefore Fault = "kill-before"
	// KillAfter applies the write and kills the operator before it gets the answer.
	KillAfter Fault = "kill-after"
	// Unavailable refuses the write and every other connection for a time, and closes all watches.
	Unavailable Fault = "unavailable"
	// LeaderChange applies the write and calls Options.LeaderChange before the answer.
	LeaderChange Fault = "leader-change"
)

// The faults of a trigger.
const (
	// WatchDelay delays the event and all later ones of its watch.
	WatchDelay Fault = "watch-delay"
	// WatchCut closes the watch before the event, and makes the operator list the objects again, so
	// that it sees the state but not the event.
	WatchCut Fault = "watch-cut"
	// StaleRead holds the event until the next one of the object, or for a time, and serves reads
	// with a resourceVersion parameter from the version before. Reads without the parameter are
	// never stale in Kubernetes, so they pass.
	StaleRead Fault = "stale-read"
)

// WebhookDown is the fault of a whole run in which the operator's webhooks do not answer. The
// Injector does nothing for it: the caller does.
const WebhookDown Fault = "webhook-down"

// Target is the kind of thing that a fault hits.
type Target string

// The targets.
const (
	TargetWrite   Target = "write"
	TargetTrigger Target = "trigger"
	TargetRun     Target = "run"
)

var targets = map[Fault]Target{
	Refuse500: TargetWrite, Refuse429: TargetWrite, Refuse409: TargetWrite,
	LostAnswer: TargetWrite, LostAnswerTimeout: TargetWrite,
	KillBefore: TargetWrite, KillAfter: TargetWrite,
	Unavailable: TargetWrite, LeaderChange: TargetWrite,
	WatchDelay: TargetTrigger, WatchCut: TargetTrigger, StaleRead: TargetTrigger,
	WebhookDown: TargetRun,
}

// Faults returns all faults in the order in which a matrix runs them: the faults that find most
// first.
func Faults() []Fault {
	return []Fault{
		KillAfter, LostAnswer, Refuse500, KillBefore, Refuse409, WatchDelay, WatchCut, StaleRead,
		LostAnswerTimeout, Unavailable, Refuse429, LeaderChange, WebhookDown,
	}
}

// Target returns what the fault hits, or "" for an unknown fault.
func (f Fault) Target() Target { return targets[f] }

// Plan is one fault at one write or trigger of a recording. Plans are comparable.
type Plan struct {
	// Index is the number of the write or trigger in the recording, from 1. It is 0 for a fault of the
	// whole run.
	Index int
	Fault Fault
}

// String returns the text form, for example "write:3,kill-after" or "run,webhook-down". It returns
// "clean" for the zero Plan.
func (p Plan) String() string {
	switch target := p.Fault.Target(); target {
	case "":
		return "clean"
	case TargetRun:
		return string(target) + "," + string(p.Fault)
	default:
		return string(target) + ":" + strconv.Itoa(p.Index) + "," + string(p.Fault)
	}
}

// Parse parses the text form of a plan with a fault.
func Parse(text string) (Plan, error) {
	where, name, ok := strings.Cut(text, ",")
	fault := Fault(name)
	if !ok {
		return Plan{}, fmt.Errorf("parsing plan %q: no fault; want TARGET:NUMBER,FAULT, for example write:3,kill-after", text)
	}
	if !slices.Contains(Faults(), fault) {
		return Plan{}, fmt.Errorf("parsing plan %q: unknown fault %q; want TARGET:NUMBER,FAULT with one of %s", text, name, join(Faults()))
	}
	target, number, numbered := strings.Cut(where, ":")
	if target != string(fault.Target()) || numbered == (fault.Target() == TargetRun) {
		return Plan{}, fmt.Errorf("parsing plan %q: %s needs the target %q", text, fault, Plan{Index: 1, Fault: fault}.String())
	}
	if !numbered {
		return Plan{Fault: fault}, nil
	}
	index, err := strconv.Atoi(number)
	if err != nil || index < 1 || strconv.Itoa(index) != number {
		return Plan{}, fmt.Errorf("parsing plan %q: invalid number %q; want an integer >= 1", text, number)
	}
	return Plan{Index: index, Fault: fault}, nil
}

// MarshalText implements encoding.TextMarshaler.
func (p Plan) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It accepts "clean", too.
func (p *Plan) UnmarshalText(text []byte) (err error) {
	if string(text) == (Plan{}).String() {
		*p = Plan{}
		return nil
	}
	*p, err = Parse(string(text))
	return err
}

// errNoTarget is returned for a plan with a number beyond the recording.
var errNoTarget = errors.New("the recording has no such write or trigger")

func join[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}
