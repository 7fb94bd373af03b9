package compare_test

import (
	"os"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain/compare"
)

// The new build writes once more in each of six runs. Its time is within the noise.
func ExampleCompare() {
	set := func(name string, writes int, totals ...int) compare.Set {
		s := compare.Set{Name: name}
		for _, total := range totals {
			s.Runs = append(s.Runs, compare.Run{
				Counts:    spantree.Counts{spantree.CountWrites: writes},
				Durations: map[string]time.Duration{compare.SegmentTotal: time.Duration(total) * time.Millisecond},
				Tree:      "reconcile Cache\n",
			})
		}
		return s
	}
	report := compare.Compare(set("main", 6, 310, 290, 305, 298, 312, 301), set("branch", 7, 309, 295, 300, 303, 296, 315))
	if err := report.WriteText(os.Stdout); err != nil {
		return
	}
	// Output:
	// B is worse: writes (A has 6 traces, B has 6 traces)
	//
	//         A MEDIAN  P95    B MEDIAN  P95    CHANGE  P VALUE  VERDICT
	// total   303ms     312ms  302ms     315ms  0%      0.937    same
	// writes  6         6      7         7      +1      0.002    worse
	//
	// A: main
	// B: branch
	// trees of spans: as in A in 6 of 6 traces of B
	// test: Mann-Whitney U test, two-sided, with Holm's correction for the number of measurements; at most 5 % of such comparisons find a difference by chance
}
