package inject

import (
	"fmt"
	"time"
)

// VerdictKind is a kind of failure.
type VerdictKind string

// The kinds of verdicts.
const (
	NotReady         VerdictKind = "not ready"
	ObjectsDiffer    VerdictKind = "objects differ"
	LeftOver         VerdictKind = "left over"
	CreatedMore      VerdictKind = "created more often"
	Endless          VerdictKind = "writes endlessly"
	NewFinding       VerdictKind = "new finding"
	NotReached       VerdictKind = "not reached"
	NotDeterministic VerdictKind = "not deterministic"
	FailedByItself   VerdictKind = "failed by itself"
)

// Verdict is one difference from the clean runs.
type Verdict struct {
	Kind VerdictKind
	// Step is the step of the run, or empty.
	Step string
	// Object is the normalised name of the object, or empty.
	Object string
	// Path is the path of the field, or empty if the whole object differs.
	Path      string
	Want, Got string
	// Message is set if the fields above do not say everything.
	Message string
}

// String returns one line.
func (v Verdict) String() string { return fmt.Sprintf("%s: %s", v.Kind, v.Message) }

// Phase is the result of one step of a run.
type Phase struct {
	Step  string
	Ready bool
	// Took is the time from the start of the step until it was ready.
	Took    time.Duration
	Objects Snapshot
}

// Run is everything that a run left for the oracle.
type Run struct {
	Plan      Plan // zero for a clean run
	Recording *Recording
	// Before are the objects before the first step.
	Before Snapshot
	Phases []Phase
	// Deleted is set if the last phase deleted the object.
	Deleted bool
	// Reached is set if the fault was injected.
	Reached bool
	// Restless is set if the operator did not stop writing.
	Restless bool
	// Exits are the errors with which the operator ended by itself.
	Exits []string
	// Findings are findings about the run by other means, or nil.
	Findings []string
	// Err is an error of a step itself, or nil.
	Err error
}

// Mask is the set of fields that differ between clean runs.
type Mask struct{}

// Oracle judges runs by what the clean runs left.
type Oracle struct{}

// Learn returns the oracle of at least two clean runs. The verdicts are the failures of the clean
// runs. If there is one of kind NotReady, Endless, NotDeterministic or FailedByItself, plans prove
// nothing, and the oracle is nil. Otherwise (LeftOver) it is usable.
func Learn(clean ...*Run) (*Oracle, []Verdict) { panic("TODO") }

// Bound returns the time in which a step must be ready: ten times the slowest step of the clean
// runs, and floor at least.
func (o *Oracle) Bound(floor time.Duration) time.Duration { panic("TODO") }

// Mask returns the learned mask.
func (o *Oracle) Mask() Mask { panic("TODO") }

// Compare compares the objects after a step with those of the clean runs.
func (o *Oracle) Compare(namespace, step string, got Snapshot) []Verdict { panic("TODO") }

// Judge returns all verdicts about a run with a fault. A run without verdicts passes.
func (o *Oracle) Judge(r *Run) []Verdict { panic("TODO") }

// String lists the paths, one a line.
func (m Mask) String() string { panic("TODO") }
