package spantree_test

import (
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Conditions on what a tree's text can't make a span of.
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
		"link": true, "!link": false, "links=2": true, "links=1": false, "links>2": false, "links>=2 links<3": true,
		"link=1": true, "link=1/f": true, "link=1/e": false, "link=f": false, "link=ab/cd link=1": true, "link=ab/cd link=2": false,
		"link=@first": true, "link=@second": false, "link=@other": false,
		"event": true, "!event": false, "events=3": true, "events<3": false, "event=done": true, "event=Done": false, "!event=Done": true, "!event=done": false,
		"event=~Ready.*": true, "event=~Ready": false, `event="Ready: False→True"(reason=Available n=3)`: true, `event="Ready: False→True"(reason=Available n=4)`: false,
		`event="Ready: False→True"(!reason)`: true, "event=done(reason)": false, "event=~.*(reason=~Avail.*)": true, "event=~.*(reason=~Avail)": false,
		"!event=done(reason)": true,
	}
	for conditions, ok := range tests {
		t.Run(conditions, func(t *testing.T) {
			want := parse(t, "first [@first]\nsecond [@second "+conditions+"]\n? other [@other]")
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

// A link's target is what its line says, and everything below it; not what merely
// has the same name.
func TestMatchLinkTarget(t *testing.T) {
	want := parse(t, "admit [@first kind=create]\n  create\nadmit [link=@first kind=update @second]\nadmit [link=@second kind=update]")
	spans := func(thirdTo string) []spantree.Span {
		first, second, third := span("1", "", "admit", 1), span("2", "", "admit", 2), span("3", "", "admit", 3)
		first.Attributes = map[string]any{"kind": "create"}
		second.Attributes = map[string]any{"kind": "update"}
		third.Attributes = second.Attributes
		second.Links = []spantree.Link{{TraceID: "1", SpanID: "1"}}
		third.Links = []spantree.Link{{TraceID: "1", SpanID: thirdTo}}
		return []spantree.Span{third, first, span("4", "1", "create", 1), second}
	}
	if r := spantree.Match(want, spantree.Build(spans("2"))); !r.OK() {
		t.Errorf("a chain of links does not match:\n%s", r.Explain())
	}
	for _, to := range []string{"1", "4", "9"} {
		if spantree.Match(want, spantree.Build(spans(to))).OK() {
			t.Errorf("a link to span %s matches", to)
		}
	}
	// Lines that link to each other are no endless question.
	circle := parse(t, "a [@a link=@b]\nb [@b link=@a]")
	a, b := span("1", "", "a", 1), span("2", "", "b", 2)
	a.Links, b.Links = []spantree.Link{{TraceID: "1", SpanID: "2"}}, []spantree.Link{{TraceID: "1", SpanID: "1"}}
	if r := spantree.Match(circle, spantree.Build([]spantree.Span{a, b})); !r.OK() {
		t.Errorf("two spans that link to each other do not match:\n%s", r.Explain())
	}
}

// Expectations that make no sense fail, and say why.
func TestMatchSenseless(t *testing.T) {
	got := spantree.Build([]spantree.Span{span("1", "", "a", 0)})
	for name, test := range map[string]struct {
		condition spantree.Condition
		say       string
	}{
		"expression": {spantree.AttrMatches("k", "("), "k=~( makes no sense: error parsing regexp"},
		"duration":   {spantree.Condition{Subject: spantree.SubjectDuration, Value: "soon"}, "duration=soon makes no sense: time: invalid duration"},
		"count":      {spantree.Condition{Subject: spantree.SubjectLinkCount, Value: "x"}, "links=x makes no sense: strconv.Atoi"},
		"label":      {spantree.LinkTo("nobody"), "link=@nobody makes no sense: no line has the label @nobody"},
		"subject":    {spantree.Condition{Subject: 99, Key: "k"}, "there is no subject of that number"},
		"operator":   {spantree.Condition{Key: "k", Operator: spantree.Below, Value: "1"}, "k is absent, want k<1"},
		"in events":  {spantree.HasEvent("e", spantree.AttrMatches("k", "(")), "events are none, want event=e(k=~\"(\")"},
	} {
		t.Run(name, func(t *testing.T) {
			r := spantree.Match(spantree.NewTree(spantree.Expect("a", test.condition)), got)
			if r.OK() || !strings.Contains(r.Explain(), test.say) {
				t.Errorf("match is %t, want a failure that says %q:\n%s", r.OK(), test.say, r.Explain())
			}
		})
	}
}
