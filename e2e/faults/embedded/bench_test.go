package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain/compare"
)

// TestBench measures the sample twice and compares it with these measurements. Afterwards the
// sample is ready, and its trace has no finding.
func TestBench(t *testing.T) {
	const limit = 2 * time.Minute
	s := newSandbox(t)
	s.up()
	file := filepath.Join(t.TempDir(), "main.json")
	if out, err := s.Run(t.Context(), limit, "bench", "--runs=2", "--warmup=0", "--save="+file); err != nil || !strings.Contains(out, "head-sample: 2 runs") {
		t.Fatalf("bench: %v\n%s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set, err := compare.ParseSet(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range set.Runs {
		if run.Counts[spantree.CountWrites] < 6 || run.Durations[compare.SegmentTotal] <= 0 {
			t.Errorf("a run has the counts %v and the times %v, want at least six writes and a total", run.Counts, run.Durations)
		}
	}
	if len(set.Runs) != 2 || set.Runs[0].TraceID == set.Runs[1].TraceID {
		t.Errorf("%d runs, want two of different traces", len(set.Runs))
	}
	for _, command := range []struct{ args, want string }{
		{"bench head-sample --runs=1 --warmup=0 -o markdown --against=" + file, "Values without a verdict: A has 2 traces, B has 1 trace"},
		{"trace diff head-sample " + file, "Values without a verdict: A has 1 trace, B has 2 traces"},
		{"trace head-sample --fail-on=any", "no findings"},
	} {
		if out, err := s.Run(t.Context(), limit, strings.Fields(command.args)...); err != nil || !strings.Contains(out, command.want) {
			t.Errorf("%s: %v, want %q\n%s", command.args, err, command.want, out)
		}
	}
	if out, err := s.Run(t.Context(), rig.AskLimit, "bench", "other"); err == nil || !strings.Contains(out, "other") {
		t.Errorf("bench of an object that does not exist: %v\n%s", err, out)
	}
	s.WantUp()
}
