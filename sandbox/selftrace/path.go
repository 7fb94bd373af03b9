package selftrace

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// NeedsKey is the attribute of a step's span that names the steps which had to end before it began. It is what makes a span a step.
const NeedsKey = attribute.Key("sandbox.step.needs")

// Stretch is one step on the way to the end.
type Stretch struct {
	// Name is the step's.
	Name string
	// Took is how long it ran.
	Took time.Duration
}

// CriticalPath gives the steps that decided when the last one ended, in their order: it goes back from each step to the one that it
// waited for longest. A step that needs no other waited for whichever ended last before it, since a command does its plans one
// after the other.
func (r *Recorder) CriticalPath() []Stretch {
	var path []Stretch
	rest := r.steps()
	for at := latest(rest); at != nil; {
		path = append(path, Stretch{at.Name, at.EndTime.Sub(at.StartTime)})
		needs, began := needsOf(at), at.StartTime
		rest = slices.DeleteFunc(rest, func(s *tracetest.SpanStub) bool { return s == at || s.EndTime.After(began) })
		at = latest(slices.DeleteFunc(slices.Clone(rest), func(s *tracetest.SpanStub) bool {
			return len(needs) > 0 && !slices.Contains(needs, s.Name)
		}))
	}
	slices.Reverse(path)
	return path
}

// steps gives the steps that have ended.
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

// latest gives the step that ended last, nil for none.
func latest(steps []*tracetest.SpanStub) *tracetest.SpanStub {
	if len(steps) == 0 {
		return nil
	}
	return slices.MaxFunc(steps, func(a, b *tracetest.SpanStub) int { return a.EndTime.Compare(b.EndTime) })
}
