package plan

import (
	"cmp"
	"fmt"
	"slices"
)

// Pruned is a plan that a matrix leaves out.
type Pruned struct {
	Plan   Plan
	Reason string
}

// Matrix is the list of plans for a recording.
type Matrix struct {
	// Plans are in the order of Faults, and then in the order of the recording.
	Plans  []Plan
	Pruned []Pruned
}

// MatrixOptions select plans.
type MatrixOptions struct {
	// Others are recordings of further clean runs. Writes and triggers that do not come in all of them
	// have no plans.
	Others []*Recording
	// Full keeps the plans that are possible but unlikely to find more than another plan.
	Full bool
	// LeaderChange and WebhookDown add plans for these faults.
	LeaderChange, WebhookDown bool
}

// NewMatrix returns the plans for a recording. The same recording has the same plans.
func NewMatrix(r *Recording, o MatrixOptions) Matrix {
	var m Matrix
	add := func(p Plan, reason string) {
		if reason != "" {
			m.Pruned = append(m.Pruned, Pruned{p, reason})
			return
		}
		m.Plans = append(m.Plans, p)
	}
	missing := func(id Identity, ids func(*Recording) []Identity) string {
		for _, other := range o.Others {
			if !slices.Contains(ids(other), id) {
				return "it does not come in each clean run"
			}
		}
		return ""
	}
	for _, fault := range Faults() {
		switch fault.Target() {
		case TargetWrite:
			if fault == LeaderChange && !o.LeaderChange {
				continue
			}
			for i, w := range r.Writes {
				add(Plan{i + 1, fault}, cmp.Or(missing(w.Identity, (*Recording).writeIDs), r.pruneWrite(i, fault, o.Full)))
			}
		case TargetTrigger:
			for i, t := range r.Triggers {
				add(Plan{i + 1, fault}, cmp.Or(missing(t.Identity, (*Recording).triggerIDs), r.pruneTrigger(i, fault, o.Full)))
			}
		case TargetRun:
			if o.WebhookDown {
				add(Plan{Fault: fault}, "")
			}
		}
	}
	return m
}

// pruneWrite returns why a fault at a write finds nothing, or "".
func (r *Recording) pruneWrite(i int, f Fault, full bool) string {
	w := r.Writes[i]
	applies := f == LostAnswer || f == LostAnswerTimeout || f == KillAfter || f == LeaderChange
	switch {
	case w.Step == "":
		return "the operator writes it when it starts, before the first step"
	case f == Refuse409 && w.Verb == "create":
		return "an API server refuses a create with this code only if the object exists"
	case !w.OK() && f != Refuse500:
		return fmt.Sprintf("the API server refuses the write in a clean run, too (%d)", w.Code)
	case w.NoChange && applies:
		return fmt.Sprintf("the write changes nothing, so %s leaves the same state", without(f))
	case full:
		return ""
	}
	if f == LostAnswerTimeout || f == Unavailable || f == Refuse429 {
		if first := r.firstOf(i); first != i {
			return fmt.Sprintf("%s tests the same client call", Plan{first + 1, f})
		}
	}
	return ""
}

// without returns the fault that leaves the same state for a write that changes nothing.
func without(f Fault) Fault {
	if f == KillAfter {
		return KillBefore
	}
	return Refuse500
}

// firstOf returns the first write with the same verb and resource that the API server accepted.
func (r *Recording) firstOf(i int) int {
	w := r.Writes[i]
	for j, v := range r.Writes[:i] {
		if v.Verb == w.Verb && v.Group == w.Group && v.Resource == w.Resource && v.Subresource == w.Subresource && v.OK() && v.Step != "" {
			return j
		}
	}
	return i
}

// pruneTrigger returns why a fault at a trigger finds nothing, or "".
func (r *Recording) pruneTrigger(i int, f Fault, full bool) string {
	t := r.Triggers[i]
	later := false // the operator writes later in the same step
	for _, w := range r.Writes[t.AfterWrite:] {
		later = later || w.Step == t.Step
	}
	if t.Step == "" || !later {
		return "the operator writes nothing after this event in the same step, so nothing depends on it"
	}
	if full {
		return ""
	}
	next := -1 // the next event of the object in the same step
	for j, v := range r.Triggers[i+1:] {
		if v.UID == t.UID && v.Resource == t.Resource && v.Step == t.Step {
			next = i + 1 + j
			break
		}
	}
	switch {
	case f == StaleRead && next < 0:
		return fmt.Sprintf("the object has no later event in this step, so %s holds the event as long", Plan{i + 1, WatchDelay})
	case next >= 0 && r.Triggers[next].AfterWrite == t.AfterWrite:
		return fmt.Sprintf("the operator writes nothing before the next event of the object (%s)", Plan{next + 1, f})
	}
	return ""
}

func (r *Recording) writeIDs() []Identity {
	out := make([]Identity, len(r.Writes))
	for i, w := range r.Writes {
		out[i] = w.Identity
	}
	return out
}

func (r *Recording) triggerIDs() []Identity {
	out := make([]Identity, len(r.Triggers))
	for i, t := range r.Triggers {
		out[i] = t.Identity
	}
	return out
}
