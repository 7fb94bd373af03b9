package compare

import (
	"cmp"
	"math"
	"slices"
	"time"

	"golang.org/x/perf/benchmath"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Test names the statistical test, for reports.
const Test = "Mann-Whitney U test, two-sided, with Holm's correction for the number of measurements"

// Limits of a claim.
const (
	// Alpha is the probability of a false claim in a whole comparison, if nothing changed.
	Alpha = 0.05
	// MinRuns is the number of runs of each side below which nothing is claimed.
	MinRuns = 4
	// MinChange is the smallest relative change of a median duration that is a claim, and
	// MinDuration the smallest absolute one. Smaller changes can be real, but do not matter.
	MinChange   = 0.05
	MinDuration = time.Millisecond
)

// Verdict is what can be said about a measurement.
type Verdict string

// The verdicts. Unknown means that there are not enough runs; Same that a difference, if there is
// one, is within the noise; Changed that a number differs that is neither good nor bad.
const (
	Unknown Verdict = "unknown"
	Same    Verdict = "same"
	Better  Verdict = "better"
	Worse   Verdict = "worse"
	Changed Verdict = "changed"
)

// Summary describes the values of one side.
type Summary struct {
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
}

// Metric compares one measurement.
type Metric struct {
	Name string `json:"name"`
	// Unit is "ns", or empty for a count.
	Unit string  `json:"unit,omitempty"`
	A    Summary `json:"a"`
	B    Summary `json:"b"`
	// P is the probability of such a difference if nothing changed, without Holm's correction.
	P       float64 `json:"p"`
	Verdict Verdict `json:"verdict"`

	varies bool // Not all values of both sides are equal.
}

// Report is a comparison of two sets.
type Report struct {
	A         string    `json:"a"`
	B         string    `json:"b"`
	RunsA     int       `json:"runsA"`
	RunsB     int       `json:"runsB"`
	Test      string    `json:"test"`
	Alpha     float64   `json:"alpha"`
	Metrics   []Metric  `json:"metrics"`
	Structure Structure `json:"structure"`
	Verdict   Verdict   `json:"verdict"`

	same bool // All traces have the same tree.
}

// higherIsWorse has the counts of which more are worse. Other counts depend on what is recorded.
var higherIsWorse = map[spantree.Count]bool{
	spantree.CountReconciles: true, spantree.CountFailed: true, spantree.CountRequeues: true, spantree.CountWrites: true,
	spantree.CountUnchanged: true, spantree.CountConflicts: true, spantree.CountAlreadyExists: true, spantree.CountStaleReads: true, spantree.CountErrors: true,
}

// Compare compares two sets, of which B is the newer one. It claims a difference only if the test
// shows it. The verdict of the report is Worse if any measurement is worse, else Better if any is
// better, else Changed if any differs, else Same; and Unknown without enough runs.
func Compare(a, b Set) Report {
	r := Report{A: a.Name, B: b.Name, RunsA: len(a.Runs), RunsB: len(b.Runs), Test: Test, Alpha: Alpha, Structure: structure(a, b)}
	r.same = len(a.Runs) > 0 && len(variants(a)) == 1 && r.Structure.Known == len(b.Runs)
	for _, name := range segmentsOf(a, b) {
		get := func(run Run) float64 { return float64(run.Durations[name]) }
		r.Metrics = append(r.Metrics, measure(name, "ns", a, b, get))
	}
	for _, count := range spantree.AllCounts() {
		get := func(run Run) float64 { return float64(run.Counts[count]) }
		m := measure(string(count), "", a, b, get)
		if m.A != (Summary{}) || m.B != (Summary{}) {
			r.Metrics = append(r.Metrics, m)
		}
	}
	r.judge()
	return r
}

// equal reports whether all traces of both sides have the same tree and the same values.
func (r Report) equal() bool {
	return r.same && !slices.ContainsFunc(r.Metrics, func(m Metric) bool { return m.varies })
}

func measure(name, unit string, a, b Set, get func(Run) float64) Metric {
	before, after := valuesOf(a, get), valuesOf(b, get)
	m := Metric{Name: name, Unit: unit, A: summary(before), B: summary(after), P: 1}
	all := slices.Concat(before, after)
	if m.varies = len(before) > 0 && len(after) > 0 && slices.Min(all) < slices.Max(all); m.varies {
		m.P = probability(before, after)
	}
	return m
}

// probability returns the two-sided probability of the U test. The test gets the side with the lower
// ranks first: with ties, the distribution of U is not symmetric, and package stats doubles the
// probability of its lower tail for the first side, whichever side is lower.
func probability(a, b []float64) float64 {
	if u(a, b) > u(b, a) {
		a, b = b, a
	}
	thresholds := benchmath.DefaultThresholds
	return min(1, benchmath.AssumeNothing.Compare(benchmath.NewSample(a, &thresholds), benchmath.NewSample(b, &thresholds)).P)
}

// u returns how often a value of a is higher than a value of b. Equal values count half.
func u(a, b []float64) float64 {
	sum := 0.0
	for _, x := range a {
		for _, y := range b {
			sum += float64(cmp.Compare(x, y)+1) / 2
		}
	}
	return sum
}

func valuesOf(s Set, get func(Run) float64) []float64 {
	values := make([]float64, len(s.Runs))
	for i, r := range s.Runs {
		values[i] = get(r)
	}
	return values
}

// summary returns the median and the 95th percentile (nearest rank).
func summary(values []float64) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	rank := func(p float64) float64 { return sorted[max(0, int(math.Ceil(p*float64(n)))-1)] }
	median := sorted[n/2]
	if n%2 == 0 {
		median = (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return Summary{Median: median, P95: rank(0.95)}
}

// judge sets the verdicts. With Holm's method the smallest P is compared with Alpha divided by the
// number of measurements that vary, the next with Alpha divided by one less, and so on until one is larger.
func (r *Report) judge() {
	r.Verdict = Unknown
	for i := range r.Metrics {
		r.Metrics[i].Verdict = Unknown
	}
	if min(r.RunsA, r.RunsB) < MinRuns {
		return
	}
	var order []*Metric
	for i := range r.Metrics {
		r.Metrics[i].Verdict = Same
		if r.Metrics[i].varies {
			order = append(order, &r.Metrics[i])
		}
	}
	slices.SortStableFunc(order, func(x, y *Metric) int { return cmp.Compare(x.P, y.P) })
	shown := true
	for i, m := range order {
		shown = shown && m.P <= Alpha/float64(len(order)-i)
		if shown {
			m.Verdict = m.direction()
		}
	}
	r.Verdict = Same
	for _, v := range []Verdict{Changed, Better, Worse} { // The last one that occurs wins.
		if slices.ContainsFunc(r.Metrics, func(m Metric) bool { return m.Verdict == v }) {
			r.Verdict = v
		}
	}
}

// direction returns the verdict for a measurement whose difference is outside the noise.
func (m *Metric) direction() Verdict {
	change := m.B.Median - m.A.Median
	switch {
	case m.Unit != "" && (math.Abs(change) < float64(MinDuration) || math.Abs(change) < MinChange*m.A.Median), change == 0:
		return Same
	case m.Unit == "" && !higherIsWorse[spantree.Count(m.Name)]:
		return Changed
	case change > 0:
		return Worse
	}
	return Better
}
