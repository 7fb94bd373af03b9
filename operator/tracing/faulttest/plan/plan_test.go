package plan

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/quick"
)

func TestParsePlan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Plan{
		"write:3,kill-after":    {3, KillAfter},
		"trigger:12,watch-cut":  {12, WatchCut},
		"run,webhook-down":      {0, WebhookDown},
		"write:1,refuse-409":    {1, Refuse409},
		"write:1,leader-change": {1, LeaderChange},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("ParsePlan(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestParsePlanErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                     "no fault",
		"clean":                "no fault",
		"write:3":              "no fault",
		"write:3,explode":      "want TARGET:NUMBER,FAULT",
		"write,kill-after":     `needs the target "write:1,kill-after"`,
		"trigger:1,kill-after": `needs the target "write:1,kill-after"`,
		"run:1,webhook-down":   `needs the target "run,webhook-down"`,
		"write:0,kill-after":   "want an integer >= 1",
		"write:+1,kill-after":  "want an integer >= 1",
		"write:01,kill-after":  "want an integer >= 1",
		"write:x,kill-after":   "want an integer >= 1",
	} {
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParsePlan(%q) = %v, %v, want an error with %q", text, got, err, want)
		}
	}
}

// TestPlanRoundTrip: every plan is equal to its text, also in JSON.
func TestPlanRoundTrip(t *testing.T) {
	t.Parallel()
	property := func(index uint16, number uint8) bool {
		p := Plan{int(index) + 1, Faults()[int(number)%len(Faults())]}
		if p.Fault.Target() == TargetRun {
			p.Index = 0
		}
		parsed, err := Parse(p.String())
		data, jsonErr := json.Marshal(p)
		var decoded Plan
		return err == nil && jsonErr == nil && json.Unmarshal(data, &decoded) == nil && parsed == p && decoded == p
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func FuzzParsePlan(f *testing.F) {
	for _, seed := range []string{"write:3,kill-after", "run,webhook-down", "trigger:1,stale-read", "write:,", ","} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := Parse(text); err == nil && p.String() != text {
			t.Errorf("ParsePlan(%q).String() = %q", text, p)
		}
	})
}

func TestEveryFaultHasATarget(t *testing.T) {
	t.Parallel()
	if len(Faults()) != len(targets) {
		t.Errorf("Faults() has %d faults, want %d", len(Faults()), len(targets))
	}
	for _, f := range Faults() {
		if f.Target() == "" {
			t.Errorf("%s has no target", f)
		}
	}
}
