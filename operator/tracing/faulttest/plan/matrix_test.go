package plan

import (
	"slices"
	"strings"
	"testing"
)

func TestMatrix(t *testing.T) {
	t.Parallel()
	write := func(verb, name string, code int) Write {
		return Write{Identity: Identity{Verb: verb, Resource: "pods", Name: name}, Code: code, Step: "apply"}
	}
	event := func(uid string, after int) Trigger {
		return Trigger{Identity: Identity{Verb: "MODIFIED", Resource: "pods"}, UID: uid, AfterWrite: after, Step: "apply"}
	}
	r := &Recording{
		Writes: []Write{
			{Identity: Identity{Verb: "update", Resource: "pods"}, Code: 200}, // at the start
			write("create", "a", 201), write("update", "a", 200), write("update", "a", 409),
			{Identity: Identity{Verb: "update", Resource: "pods", Ordinal: 2}, Code: 200, Step: "apply", NoChange: true},
		},
		Triggers: []Trigger{event("1", 1), event("1", 1), event("1", 2), event("2", 4), event("2", 5)},
	}
	m := NewMatrix(r, MatrixOptions{WebhookDown: true})
	var got []string
	for _, p := range m.Plans {
		got = append(got, p.String())
	}
	want := strings.Fields(`
		write:2,kill-after write:3,kill-after
		write:2,lost-answer write:3,lost-answer
		write:2,refuse-500 write:3,refuse-500 write:4,refuse-500 write:5,refuse-500
		write:2,kill-before write:3,kill-before write:5,kill-before
		write:3,refuse-409 write:5,refuse-409
		trigger:2,watch-delay trigger:3,watch-delay trigger:4,watch-delay
		trigger:2,watch-cut trigger:3,watch-cut trigger:4,watch-cut
		trigger:2,stale-read
		trigger:4,stale-read
		write:2,lost-answer-timeout write:3,lost-answer-timeout
		write:2,unavailable write:3,unavailable
		write:2,refuse-429 write:3,refuse-429
		run,webhook-down`)
	if !slices.Equal(got, want) {
		t.Errorf("plans = %q\nwant %q", got, want)
	}
	for _, p := range m.Pruned {
		if p.Reason == "" || slices.Contains(m.Plans, p.Plan) {
			t.Errorf("pruned %s for %q", p.Plan, p.Reason)
		}
	}
	if n := len(NewMatrix(r, MatrixOptions{Full: true, LeaderChange: true}).Plans); n <= len(m.Plans) {
		t.Errorf("the full matrix has %d plans, want more than %d", n, len(m.Plans))
	}
	other := *r
	other.Writes = r.Writes[:2]
	for _, p := range NewMatrix(r, MatrixOptions{Others: []*Recording{r, &other}}).Plans {
		if p.Fault.Target() == TargetWrite && p.Index > 2 {
			t.Errorf("plan %s for a write that is in one clean run only", p)
		}
	}
	if n := len(m.Plans) + len(m.Pruned); n != 8*5+3*5+1 {
		t.Errorf("%d plans in all, want each write and trigger with each fault", n)
	}
}

func TestSideBySide(t *testing.T) {
	t.Parallel()
	w := func(name string, code int, f Fault) Write {
		return Write{Identity: Identity{Verb: "create", Resource: "pods", Name: name, Ordinal: 1}, Code: code, Fault: f}
	}
	got := SideBySide(
		&Recording{Writes: []Write{w("a", 201, ""), w("b", 201, ""), w("c", 201, "")}},
		&Recording{Writes: []Write{w("a", 201, KillAfter), w("d", 201, ""), w("c", 0, "")}},
	)
	var lines []string
	for line := range strings.Lines(got) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"clean this run",
		"! create pods a: 201 create pods a: 201 ← kill-after",
		"- create pods b: 201",
		"+ create pods d: 201",
		"create pods c: 201 create pods c: not applied",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("SideBySide() = %q, want %q", lines, want)
	}
}
