package selftrace

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// NeedsKey is the attribute that marks a span as a step. Its values are the names of the steps that
// must end before the step starts.
const NeedsKey = attribute.Key("sandbox.step.needs")

// Stretch is a step on the critical path.
type Stretch struct {
	Name string
	Took time.Duration
}

// CriticalPath returns the steps that determined when the last step ended, in order. From the last
// step, it repeatedly goes back to the needed step that ended last. If a step needs no other step,
// it goes back to the step that ended last before, because a command runs its plans one after
// another.
func (r *Recorder) CriticalPath() []Stretch {
	var path []Stretch
	rest := r.steps()
	for at := latest(rest); at != nil; {
		path = append(path, Stretch{at.Name, at.EndTime.Sub(at.StartTime)})
		needs, start := needsOf(at), at.StartTime
		rest = slices.DeleteFunc(rest, func(s *tracetest.SpanStub) bool { return s == at || s.EndTime.After(start) })
		at = latest(slices.DeleteFunc(slices.Clone(rest), func(s *tracetest.SpanStub) bool {
			return len(needs) > 0 && !slices.Contains(needs, s.Name)
		}))
	}
	slices.Reverse(path)
	return path
}

func (r *Recorder) steps() []*tracetest.SpanStub {
	var steps []*tracetest.SpanStub
	for _, span := range r.ended.GetSpans() {
		if slices.ContainsFunc(span.Attributes, isNeeds) {
			steps = append(steps, &span)
		}
	}
	return steps
}

func isNeeds(a attribute.KeyValue) bool { return a.Key == NeedsKey }

func needsOf(span *tracetest.SpanStub) []string {
	i := slices.IndexFunc(span.Attributes, isNeeds)
	return span.Attributes[i].Value.AsStringSlice()
}

// latest returns the step that ended last, or nil if there are no steps.
func latest(steps []*tracetest.SpanStub) *tracetest.SpanStub {
	if len(steps) == 0 {
		return nil
	}
	return slices.MaxFunc(steps, func(a, b *tracetest.SpanStub) int { return a.EndTime.Compare(b.EndTime) })
}
