package observe

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// start is the kubelet's work on a Pod, from its binding until it is ready: one span, whose
// children are the kubelet's writes and the phases of each container.
type start struct {
	pod     writes.Object
	cause   writes.Cause
	context trace.SpanContext
	last    time.Time // of the kubelet's last write
	sandbox time.Time // when the Pod's sandbox was ready; zero before
	steps   []step
	held    []*span // the kubelet's writes, until their parent is exported
	sent    bool    // its span was exported without an end
}

// step is an Event of the kubelet about a container.
type step struct {
	reason, container string
	at                time.Time
	took              time.Duration // from the message; 0 if it names none
}

const (
	conditionReady   = "Ready"
	conditionSandbox = "PodReadyToStartContainers"
)

// startOf returns the start of the Pod that a write of the kubelet belongs to, or nil. It is
// the first write after the binding.
func (o *Observer) startOf(w *writes.Write) *start {
	if w.Writer != writes.Kubelet || w.Verb == writes.VerbRemove {
		return nil
	}
	if s := o.starts[w.Object.UID]; s != nil {
		return s
	}
	if w.Cause.Verb != writes.VerbBind || len(o.starts) >= maxStarts {
		return nil
	}
	s := &start{pod: w.Object, cause: w.Cause, last: w.Cause.At, context: writes.SpanOf(w.Span.TraceID(), w.Object.UID, "start")}
	o.starts[w.Object.UID] = s
	return s
}

// kubeletWrote adds a write of the kubelet to the Pod's start, and returns the spans to export. The write
// that makes the Pod ready is the end of the start: reactions to it are children of the start's span.
func (o *Observer) kubeletWrote(s *start, w *writes.Write) []*span {
	written := spanOf(w)
	written.parent = s.context
	ready := slices.ContainsFunc(w.Transitions, func(t writes.Transition) bool { return t.Type == conditionReady && t.To == "True" })
	if slices.ContainsFunc(w.Transitions, func(t writes.Transition) bool { return t.Type == conditionSandbox && t.To == "True" }) {
		s.sandbox, written.name = w.At, "sandbox Pod"
	}
	s.last = w.At
	switch {
	case s.sent && ready:
		delete(o.starts, w.Object.UID)
		return append(s.phases(w.At), written)
	case s.sent:
		return []*span{written}
	case !ready:
		if s.held = append(s.held, written); len(s.held) < maxParts {
			return nil
		}
		return s.interrupt()
	}
	delete(o.starts, w.Object.UID)
	w.Span = s.context
	whole := s.span(w.At)
	whole.events = written.events
	for key, value := range written.attributes {
		if _, has := whole.attributes[key]; !has {
			whole.attributes[key] = value
		}
	}
	return append(append(s.held, s.phases(w.At)...), whole)
}

// interrupt returns the span of a start that takes long, without an end, and the spans that wait for it.
// A receiver can keep a span only once, so the end is never sent.
func (s *start) interrupt() []*span {
	if s.sent {
		return nil
	}
	s.sent = true
	whole := s.span(s.last)
	whole.attributes[AttributeUnfinished] = true
	return append(s.held, whole)
}

// interruptStarts exports the starts of Pods that are not ready in time.
func (o *Observer) interruptStarts(now time.Time) {
	if now.Sub(o.checked) < time.Second {
		return
	}
	o.checked = now
	for _, s := range o.starts {
		if now.Sub(s.cause.At) > startWait {
			o.finish(now, s.interrupt()...)
		}
	}
}

// endStart exports the start of a Pod that was deleted before it was ready.
func (o *Observer) endStart(w *writes.Write) {
	s := o.starts[w.Object.UID]
	if s == nil {
		return
	}
	delete(o.starts, w.Object.UID)
	spans := s.phases(w.At)
	if !s.sent {
		whole := s.span(w.At)
		whole.failed = true
		spans = append(append(s.held, spans...), whole)
	}
	o.finish(w.At, spans...)
}

// span returns the span of the whole start.
func (s *start) span(end time.Time) *span {
	whole := &span{
		context: s.context, parent: s.cause.Span, service: writes.Kubelet, name: "start Pod", start: s.cause.At, end: end, attributes: objectAttributes(s.pod),
	}
	addCause(whole.attributes, s.cause)
	return whole
}

// phases returns the spans of the containers: pull, create, start, and probe until the Pod is ready.
func (s *start) phases(ready time.Time) []*span {
	var spans []*span
	for _, container := range s.containers() {
		from := s.sandbox
		if from.IsZero() {
			from = s.cause.At
		}
		for _, step := range s.stepsOf(container) {
			name := map[string]string{"Pulled": "pull", "Created": "create", "Started": "start"}[step.reason]
			if step.reason == "Pulling" {
				from = step.at
			}
			if name == "" || step.at.Before(from) {
				continue
			}
			if step.took > 0 && step.at.Add(-step.took).After(from) {
				from = step.at.Add(-step.took)
			}
			spans = append(spans, s.phase(name, container, from, step.at))
			from = step.at
		}
		if len(spans) > 0 && ready.After(from) {
			spans = append(spans, s.phase("probe", container, from, ready))
		}
	}
	return spans
}

func (s *start) phase(name, container string, from, to time.Time) *span {
	attributes := objectAttributes(s.pod)
	attributes["k8s.container.name"] = container
	return &span{
		context: writes.SpanOf(s.context.TraceID(), s.pod.UID, name+"/"+container), parent: s.context, service: writes.Kubelet,
		name: name + " container", start: from, end: to, attributes: attributes,
	}
}

func (s *start) containers() []string {
	var names []string
	for _, step := range s.steps {
		if !slices.Contains(names, step.container) {
			names = append(names, step.container)
		}
	}
	return names
}

func (s *start) stepsOf(container string) []step {
	var steps []step
	for _, step := range s.steps {
		if step.container == container {
			steps = append(steps, step)
		}
	}
	return steps
}

var (
	// pullTime matches the kubelet's message, for example: Successfully pulled image "a" in 1.2s
	// (1.3s including waiting). Image size: 5 bytes.
	pullTime = regexp.MustCompile(` in ([0-9][0-9a-zµ.]*)(?: |\.|$)`)
	// containerField matches the fieldPath of an Event about a container.
	containerField = regexp.MustCompile(`^spec\.(?:initContainers|containers|ephemeralContainers)\{([^}]+)\}$`)
)

// stepOf converts an Event about a container.
func stepOf(reason, fieldPath, message string, at time.Time) (step, bool) {
	match := containerField.FindStringSubmatch(fieldPath)
	if match == nil || !slices.Contains([]string{"Pulling", "Pulled", "Created", "Started"}, reason) {
		return step{}, false
	}
	s := step{reason: reason, container: match[1], at: at}
	if took := pullTime.FindStringSubmatch(message); took != nil && reason == "Pulled" {
		s.took, _ = time.ParseDuration(strings.TrimSuffix(took[1], ".")) // 0 if it is not a duration.
	}
	return s, true
}
