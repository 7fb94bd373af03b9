package spantree_test

import (
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// TestMatchConditions tests conditions that a tree's text cannot express as spans.
func TestMatchConditions(t *testing.T) {
	first := span("f", "", "first", 0)
	second := spantree.Span{
		TraceID: "2", SpanID: "s", Name: "second", Start: time.Unix(9, 0), End: time.Unix(9, 0).Add(1500 * time.Millisecond),
		Links: []spantree.Link{{TraceID: "1", SpanID: "f"}, {TraceID: "ab", SpanID: "cd"}},
		Events: []spantree.Event{
			{Name: "Ready: False→True", Attributes: map[string]any{"reason": "Available", "n": int64(3)}}, {Name: "Ready: False→True"}, {Name: "done"},
		},
	}
	got := spantree.Build([]spantree.Span{first, second})
	tests := map[string]bool{
		"duration=1.5s": true, "duration=1s": false, "duration<1501ms": true, "duration<1.5s": false, "duration<=1.5s": true, "duration<=1.4s": false,
		"duration>1.4s": true, "duration>1.5s": false, "duration>=1.5s": true, "duration>=2s": false, "duration>1s duration<2s": true, "duration>1s duration<1.2s": false,
		"link": true, "!link": false,
		"event": true, "!event": false, "event=done": true, "event=Done": false, "!event=Done": true, "!event=done": false,
		"event=~Ready.*": true, "event=~Ready": false, `event="Ready: False→True"(reason=Available n=3)`: true, `event="Ready: False→True"(reason=Available n=4)`: false,
		`event="Ready: False→True"(!reason)`: true, "event=done(reason)": false, "event=~.*(reason=~Avail.*)": true, "event=~.*(reason=~Avail)": false,
		"!event=done(reason)": true,
	}
	for conditions, ok := range tests {
		t.Run(conditions, func(t *testing.T) {
			want := parse(t, "first\nsecond ["+conditions+"]\n? other")
			r := spantree.Match(want, got)
			if r.OK() != ok {
				t.Errorf("match is %t, want %t\n%s", r.OK(), ok, r.Explain())
			}
			if differences := r.Differences(); !ok && (len(differences) != 1 || differences[0].Type != spantree.Differing || len(differences[0].Details) != 1) {
				t.Errorf("differences are %v, want one of one condition", differences)
			}
		})
	}
}

// TestMatchPlainSpan tests conditions on a span without links and events.
func TestMatchPlainSpan(t *testing.T) {
	t.Parallel()
	got := spantree.Build([]spantree.Span{span("1", "", "a", 0)})
	for conditions, ok := range map[string]bool{"link": false, "!link": true, "event": false, "!event": true} {
		if r := spantree.Match(parse(t, "a ["+conditions+"]"), got); r.OK() != ok {
			t.Errorf("match of %q is %t, want %t\n%s", conditions, r.OK(), ok, r.Explain())
		}
	}
}

// TestDetails tests the reasons why a span does not match a line.
func TestDetails(t *testing.T) {
	t.Parallel()
	events := func(n int) (all []spantree.Event) {
		for i := range n {
			all = append(all, spantree.Event{Name: string(rune('a' + i))})
		}
		return all
	}
	for want, test := range map[string]struct {
		line string
		span spantree.Span
	}{
		"service is y, want x":                               {"a [service=x]", spantree.Span{Service: "y"}},
		"kind is CLIENT, want SERVER":                        {"a [SERVER]", spantree.Span{Kind: "CLIENT"}},
		"events are a, b, c, d, e, want event=z":             {"a [event=z]", spantree.Span{Events: events(5)}},
		"events are a, b, c, d, e, and 1 more, want event=z": {"a [event=z]", spantree.Span{Events: events(6)}},
	} {
		s := span("1", "", "a", 0)
		s.Service, s.Kind, s.Events = test.span.Service, test.span.Kind, test.span.Events
		differences := spantree.Match(parse(t, test.line), spantree.Build([]spantree.Span{s})).Differences()
		if len(differences) != 1 || len(differences[0].Details) != 1 || differences[0].Details[0] != want {
			t.Errorf("differences of %q are %v, want the detail %q", test.line, differences, want)
		}
	}
}

// TestMatchSenseless tests that invalid expectations fail with a reason.
func TestMatchSenseless(t *testing.T) {
	got := spantree.Build([]spantree.Span{span("1", "", "a", 0)})
	for name, test := range map[string]struct {
		condition spantree.Condition
		say       string
	}{
		"expression": {spantree.Condition{Key: "k", Operator: spantree.Matches, Value: "("}, "k=~( is invalid: error parsing regexp"},
		"duration":   {spantree.Condition{Subject: spantree.SubjectDuration, Value: "soon"}, "duration=soon is invalid: time: invalid duration"},
		"subject":    {spantree.Condition{Subject: 99, Key: "k"}, "unknown subject"},
		"operator":   {spantree.Condition{Key: "k", Operator: spantree.Below, Value: "1"}, "k is absent, want k<1"},
		"in events":  {spantree.Condition{Subject: spantree.SubjectEvent, Value: "e", Attributes: []spantree.Condition{{Key: "k", Operator: spantree.Matches, Value: "("}}}, "events are none, want event=e(k=~\"(\")"},
	} {
		t.Run(name, func(t *testing.T) {
			r := spantree.Match(&spantree.Tree{Roots: []*spantree.Expected{{Name: "a", Conditions: []spantree.Condition{test.condition}}}}, got)
			if r.OK() || !strings.Contains(r.Explain(), test.say) {
				t.Errorf("match is %t, want a failure that says %q:\n%s", r.OK(), test.say, r.Explain())
			}
		})
	}
}
