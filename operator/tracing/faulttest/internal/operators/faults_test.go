package operators_test

import (
	"slices"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/oracle"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// TestEveryBugIsFound checks that each of the expected faults finds the bug of a class, and that the
// corrected twin passes all plans. In short mode, the twin passes the plans that find the bug.
func TestEveryBugIsFound(t *testing.T) {
	cfg := startCluster(t)
	scheme, err := thing.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	options := faulttest.Options{Config: cfg, Scheme: scheme}
	t.Run("classes", func(t *testing.T) {
		for _, class := range operators.Classes() {
			t.Run(class.Name, func(t *testing.T) {
				t.Parallel()
				t.Run("buggy", func(t *testing.T) {
					t.Parallel()
					wantFound(t, class, options)
				})
				t.Run("fixed", func(t *testing.T) {
					t.Parallel()
					selected := options
					if testing.Short() {
						selected.Faults = class.Finds
					}
					faulttest.Run(t, class.Fixed.Operator(class.Updates), selected)
				})
			})
		}
	})
}

// wantFound checks that at least one plan of each expected fault fails.
func wantFound(t *testing.T, class operators.Class, options faulttest.Options) {
	t.Helper()
	options.Faults = class.Finds
	options.Bound = 4 * time.Second // many plans never become ready
	report, err := faulttest.Explore(t.Context(), class.Buggy.Operator(class.Updates), options)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Clean) > 0 {
		t.Fatalf("verdicts of the clean runs = %v, want none", report.Clean)
	}
	found := map[plan.Fault]bool{}
	for _, r := range report.Results {
		if slices.ContainsFunc(r.Verdicts, func(v oracle.Verdict) bool { return v.Kind != oracle.NotReached }) {
			found[r.Plan.Fault] = true
			t.Log(r.Plan, r.Verdicts)
		}
	}
	for _, fault := range class.Finds {
		if !found[fault] {
			t.Errorf("no plan with %s fails, want at least one: %s\n%s", fault, class.Bug, report)
		}
	}
}
