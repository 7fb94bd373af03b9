package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
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
	FailedByItself   VerdictKind = "failed on its own"
)

// Verdict is one difference from the clean runs.
type Verdict struct {
	Kind VerdictKind `json:"kind"`
	// Step is the step of the run, or empty.
	Step string `json:"step,omitempty"`
	// Object is the normalised name of the object or resource, or empty.
	Object string `json:"object,omitempty"`
	// Path is the path of the field, or empty if the whole object differs.
	Path string `json:"path,omitempty"`
	// Want and Got are the values in the clean runs and in this run, or empty.
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
	// Message says what the fields above do not, or is empty.
	Message string `json:"message,omitempty"`
}

// String returns one line.
func (v Verdict) String() string {
	var b strings.Builder
	b.WriteString(string(v.Kind))
	if v.Step != "" {
		b.WriteString(" after " + v.Step)
	}
	if subject := strings.TrimSpace(v.Object + " " + v.Path); subject != "" {
		b.WriteString(": " + subject)
	}
	if v.Want != "" || v.Got != "" {
		fmt.Fprintf(&b, ": got %s, want %s", cmp.Or(v.Got, "nothing"), cmp.Or(v.Want, "nothing"))
	}
	if v.Message != "" {
		b.WriteString(": " + v.Message)
	}
	return b.String()
}

// Phase is the result of one step of a run.
type Phase struct {
	Step  string
	Ready bool
	// Took is the time from the start of the step until it was ready.
	Took time.Duration
	// Err is the last error of the step or of its check if it was never ready, or nil.
	Err error
	// Deletes is set if nothing must be left after the step.
	Deletes bool
	Objects Snapshot
}

// Run is everything that a run left for the oracle.
type Run struct {
	Plan      plan.Plan // zero for a clean run
	Recording *plan.Recording
	// Before are the objects before the first step.
	Before Snapshot
	Phases []Phase
	// Reached is set if the fault was injected.
	Reached bool
	// Restless is set if the operator did not stop writing.
	Restless bool
	// Exits are the errors with which the operator ended on its own.
	Exits []string
	// Findings are findings about the run by other means, or nil.
	Findings []string
	// Err is an error of the run itself, for example of a snapshot, or nil.
	Err error
}

// maxExits is how often an operator may end on its own after a fault. Kubernetes restarts it.
const maxExits = 5

// Oracle judges runs by what the clean runs left.
type Oracle struct {
	mask     Mask
	clean    *Run
	phases   map[string]canonical
	creates  map[schema.GroupResource]int
	findings []string
	slowest  time.Duration
}

// Learn returns the oracle of at least two clean runs. The verdicts are the failures of the clean
// runs. If there is one of another kind than LeftOver, plans prove nothing, and the oracle is nil.
// Each of ignore is a path that is not compared: an object as in a Verdict or "*", a colon, and a
// path, in which "*" stands for any text.
func Learn(clean []*Run, ignore ...string) (*Oracle, []Verdict) {
	o := &Oracle{clean: clean[0], phases: map[string]canonical{}, creates: map[schema.GroupResource]int{}}
	for _, pattern := range ignore {
		o.mask.add(pattern)
	}
	for _, run := range clean {
		if verdicts := run.failures(true); len(verdicts) > 0 {
			return nil, verdicts
		}
		for _, p := range run.Phases {
			o.slowest = max(o.slowest, p.Took)
		}
		for gr, names := range run.Recording.Creates() {
			o.creates[gr] = max(o.creates[gr], len(names))
		}
		o.findings = append(o.findings, run.Findings...)
	}
	var verdicts []Verdict
	for _, other := range clean[1:] {
		verdicts = append(verdicts, o.learn(other)...)
	}
	if len(verdicts) > 0 {
		return nil, verdicts
	}
	last := clean[len(clean)-1] // by now the caller knows all resources
	for _, p := range last.Phases {
		if p.Deletes {
			before := canonicalise(last.Recording.Namespace, last.Before)
			for _, d := range before.differences(canonicalise(last.Recording.Namespace, p.Objects), nil) {
				if d.Kind == ObjectsDiffer && d.Path == "" && d.Got != "" {
					d.Kind, d.Step, d.Message = LeftOver, p.Step, "in a clean run, too"
					verdicts = append(verdicts, d)
				}
			}
		}
	}
	return o, verdicts
}

// learn adds the differences between the first and another clean run to the mask. It returns those
// that no mask can hide.
func (o *Oracle) learn(other *Run) []Verdict {
	var out []Verdict
	unequal := func(step, object, path, want, got string) {
		out = append(out, Verdict{Kind: NotDeterministic, Step: step, Object: object, Path: path, Want: want, Got: got, Message: "two clean runs differ"})
	}
	for i, p := range o.clean.Phases {
		if i >= len(other.Phases) {
			unequal(p.Step, "", "", p.Step, "")
			continue
		}
		want := canonicalise(o.clean.Recording.Namespace, p.Objects)
		o.phases[p.Step] = want
		for _, d := range want.differences(canonicalise(other.Recording.Namespace, other.Phases[i].Objects), &o.mask) {
			if d.Path == "" {
				unequal(p.Step, d.Object, "", d.Want, d.Got)
				continue
			}
			o.mask.add(d.Object + ":" + d.Path)
		}
	}
	first, second := o.clean.Recording.Creates(), other.Recording.Creates()
	for gr := range o.creates {
		if len(first[gr]) != len(second[gr]) {
			unequal("", gr.String(), "", plural(len(first[gr])), plural(len(second[gr])))
		}
	}
	return out
}

func plural(n int) string {
	if n == 1 {
		return "1 create"
	}
	return fmt.Sprintf("%d creates", n)
}

// failures returns the failures of a run that need no other run.
func (r *Run) failures(clean bool) []Verdict {
	var out []Verdict
	if r.Err != nil {
		out = append(out, Verdict{Kind: FailedByItself, Message: r.Err.Error()})
	}
	if n := len(r.Exits); clean && n > 0 || n > maxExits {
		out = append(out, Verdict{Kind: FailedByItself, Message: fmt.Sprintf("the operator ended %d times, last with: %s", n, r.Exits[n-1])})
	}
	for _, p := range r.Phases {
		if !p.Ready {
			v := Verdict{Kind: NotReady, Step: p.Step, Message: fmt.Sprintf("within %s", p.Took.Round(time.Millisecond))}
			if p.Err != nil {
				v.Message += ": " + p.Err.Error()
			}
			out = append(out, v)
		}
	}
	if r.Restless {
		last := ""
		if n := len(r.Recording.Writes); n > 0 {
			last = fmt.Sprintf("; %d writes, the last is %s", n, r.Recording.Writes[n-1])
		}
		out = append(out, Verdict{Kind: Endless, Message: "the operator is ready and does not stop writing" + last})
	}
	return out
}

// Bound returns the time in which a step must be ready: ten times the slowest step of the clean
// runs, and floor at least.
func (o *Oracle) Bound(floor time.Duration) time.Duration { return max(floor, 10*o.slowest) }

// Mask returns the learned mask.
func (o *Oracle) Mask() Mask { return o.mask }

// Compare compares the objects after a step with the objects of the clean runs.
func (o *Oracle) Compare(namespace, step string, got Snapshot) []Verdict {
	deletes := slices.ContainsFunc(o.clean.Phases, func(p Phase) bool { return p.Step == step && p.Deletes })
	out := o.phases[step].differences(canonicalise(namespace, got), &o.mask)
	for i := range out {
		out[i].Step = step
		if deletes && out[i].Path == "" && out[i].Got != "" {
			out[i].Kind = LeftOver
		}
	}
	return out
}

// Judge returns all verdicts about a run with a fault. A run without verdicts passes.
func (o *Oracle) Judge(r *Run) []Verdict {
	out := r.failures(false)
	if !r.Reached {
		out = append(out, Verdict{Kind: NotReached, Message: "the write or event of the plan did not come, so the plan proves nothing"})
	}
	for _, p := range r.Phases {
		if p.Ready {
			out = append(out, o.Compare(r.Recording.Namespace, p.Step, p.Objects)...)
		}
	}
	creates := r.Recording.Creates()
	resources := make([]schema.GroupResource, 0, len(creates))
	for gr := range creates {
		resources = append(resources, gr)
	}
	slices.SortFunc(resources, func(a, b schema.GroupResource) int { return cmp.Compare(a.String(), b.String()) })
	for _, gr := range resources {
		if got := creates[gr]; len(got) > o.creates[gr] {
			out = append(out, Verdict{
				Kind: CreatedMore, Object: gr.String(), Want: plural(o.creates[gr]), Got: plural(len(got)),
				Message: strings.Join(got, ", "),
			})
		}
	}
	for _, f := range r.Findings {
		if !slices.Contains(o.findings, f) {
			out = append(out, Verdict{Kind: NewFinding, Message: f})
		}
	}
	return out
}
