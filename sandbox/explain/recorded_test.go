package explain_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/explain/report"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// maxUnknown is the largest part of the time without an explanation, with an observer.
const maxUnknown = 0.05

// The traces of scripts/record-traces.sh are explained by what the script did.
func TestRecorded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reason explain.Reason
		detail string // of the largest share
		least  time.Duration
	}{
		"head":          {"", "", 0}, // Nothing in it is slow.
		"certificate":   {explain.ReasonReaction, "", 0},
		"deployment":    {explain.ReasonReaction, "", 0},
		"unschedulable": {explain.ReasonWaiting, "PodScheduled=False, Unschedulable", 4 * time.Second},
		"webhook-down":  {explain.ReasonBackoff, `failed calling webhook "slow.example.com"`, 4 * time.Second},
		"restarted":     {explain.ReasonDown, "", 4 * time.Second},
		"polling":       {explain.ReasonWaiting, "PodScheduled=False, Unschedulable", 6 * time.Second},
		"conflict":      {explain.ReasonConflict, "", 0},
		"webhook-slow":  {explain.ReasonWrite, "create ChildA", 2 * time.Second},
		"control-plane": {explain.ReasonWebhook, "slow.example.com", 2 * time.Second},
		"reconstructed": {explain.ReasonReaction, "", 4 * time.Second},
		"image-pull":    {explain.ReasonWaiting, "pulling image", 8 * time.Second},
		"adopter":       {explain.ReasonReaction, "", 0},
		"multigroup":    {explain.ReasonWrite, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join("testdata/recorded", name+".json")
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			traces, err := tracetree.ReadOTLP(file, data)
			if err != nil {
				t.Fatal(err)
			}
			traces = tracetree.Join(traces)
			e, err := explain.Of(traces[0].Forest(), explain.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := check(e); err != nil || len(traces) != 1 {
				t.Fatalf("%d traces, %v\n%s", len(traces), err, pathOf(e))
			}
			if first := e.Shares()[0]; test.reason != "" && first.Reason != test.reason || !strings.Contains(first.Detail, test.detail) || first.Duration < test.least {
				t.Errorf("largest share = %+v, want %s of %q for at least %s", first, test.reason, test.detail, test.least)
			}
			if share := float64(e.Unknown) / float64(e.Total); share > maxUnknown {
				t.Errorf("%.1f %% are unknown, want at most %.0f %%:\n%s", 100*share, 100*maxUnknown, pathOf(e))
			}
			golden(t, filepath.Join("testdata/recorded", name+".txt"), strings.Join(append(report.Lines(e, 0), report.Summary(e, 0)...), "\n")+"\n")
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("text of %s (-want +got); run with -update to accept it:\n%s", file, diff)
	}
}
