package compare

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

var update = flag.Bool("update", false, "write the files of testdata")

const (
	treeOld = "reconcile Cache\n  create Deployment\n  update_status Cache\n"
	treeNew = "reconcile Cache\n  create Deployment\n  create Service\n"
)

// sample returns runs whose total is around a time, with a noise of a fifth.
func sample(r *rand.Rand, name string, runs int, total time.Duration, writes int, tree string) Set {
	s := Set{Name: name}
	for i := range runs {
		noise := 1 + 0.2*(r.Float64()-0.5)
		s.Runs = append(s.Runs, Run{
			TraceID: fmt.Sprintf("%032x", i+1), Tree: tree,
			Counts: spantree.Counts{spantree.CountWrites: writes, spantree.CountReconciles: 3 + r.IntN(2), spantree.CountSpans: 10},
			Durations: map[string]time.Duration{
				SegmentTotal: time.Duration(float64(total) * noise), "operator: queue": time.Duration(r.Int64N(int64(10 * time.Millisecond))),
				"operator: own code": time.Duration(float64(50*time.Millisecond) * (1 + r.Float64())),
			},
		})
	}
	return s
}

func verdicts(r Report) string {
	var out []string
	for _, m := range r.Metrics {
		if m.Verdict != Same && m.Verdict != Unknown {
			out = append(out, fmt.Sprintf("%s %s", m.Name, m.Verdict))
		}
	}
	return strings.Join(append(out, string(r.Verdict)), ", ")
}

func TestCompare(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		runsA, runsB     int
		totalA, totalB   time.Duration
		writesA, writesB int
		want             string
	}{
		"nothing":              {20, 20, time.Second, time.Second, 6, 6, "same"},
		"slower":               {20, 20, time.Second, 1500 * time.Millisecond, 6, 6, "total worse, worse"},
		"faster":               {20, 20, 1500 * time.Millisecond, time.Second, 6, 6, "total better, better"},
		"a write more":         {20, 20, time.Second, time.Second, 6, 7, "writes worse, worse"},
		"a write less, slower": {20, 20, time.Second, 2 * time.Second, 7, 6, "total worse, writes better, worse"},
		"less than matters":    {200, 200, time.Second, 1030 * time.Millisecond, 6, 6, "same"},
		"one run each":         {1, 1, time.Second, 10 * time.Second, 6, 12, "unknown"},
		"one run against many": {1, 100, time.Second, 10 * time.Second, 6, 12, "unknown"},
		"three runs each":      {3, 3, time.Second, 10 * time.Second, 6, 12, "unknown"},
		"six runs each":        {6, 6, time.Second, 10 * time.Second, 6, 12, "total worse, writes worse, worse"},
		"no run":               {0, 9, time.Second, time.Second, 6, 6, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			a, b := sample(r, "a", tc.runsA, tc.totalA, tc.writesA, treeOld), sample(r, "b", tc.runsB, tc.totalB, tc.writesB, treeOld)
			if got := verdicts(Compare(a, b)); got != tc.want {
				t.Errorf("Compare = %s, want %s", got, tc.want)
			}
		})
	}
}

// TestFalseClaims: if nothing changed, at most Alpha of the comparisons claim a difference. The
// binomial distribution allows 68 of 1000 with a probability of 0.995.
func TestFalseClaims(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	claims := 0
	const comparisons = 1000
	for range comparisons {
		n := 4 + r.IntN(20)
		if Compare(sample(r, "a", n, time.Second, 6, treeOld), sample(r, "b", n, time.Second, 6, treeOld)).Verdict != Same {
			claims++
		}
	}
	if claims > 68 {
		t.Errorf("%d of %d comparisons of equal builds claim a difference, want at most %g", claims, comparisons, Alpha*comparisons)
	}
	t.Logf("%d of %d comparisons of equal builds claim a difference", claims, comparisons)
}

// TestProbability compares the test with trying all ways to choose the values of a side, for values
// with many ties.
func TestProbability(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 12))
	for range 300 {
		pool := make([]float64, 4+r.IntN(7))
		for i := range pool {
			pool[i] = float64(r.IntN(4))
		}
		n := 2 + r.IntN(len(pool)-3)
		if slices.Min(pool) == slices.Max(pool) {
			continue
		}
		if got, want := probability(slices.Clone(pool[:n]), slices.Clone(pool[n:])), exact(pool, n); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("probability(%v, %v) = %g, want %g", pool[:n], pool[n:], got, want)
		}
	}
}

// exact returns twice the smaller probability of a U as low, or as high, as of the first n values.
func exact(pool []float64, n int) float64 {
	observed := u(pool[:n], pool[n:])
	if observed == u(pool[n:], pool[:n]) {
		return 1
	}
	low, high, all := 0.0, 0.0, 0.0
	for set := range 1 << len(pool) {
		var a, b []float64
		for i, value := range pool {
			if set&(1<<i) != 0 {
				a = append(a, value)
			} else {
				b = append(b, value)
			}
		}
		if len(a) != n {
			continue
		}
		all++
		if u(a, b) <= observed {
			low++
		}
		if u(a, b) >= observed {
			high++
		}
	}
	return min(1, 2*min(low, high)/all)
}

// TestSymmetry: exchanged sides have the opposite verdicts, and the order of runs does not matter.
func TestSymmetry(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	opposite := map[Verdict]Verdict{Worse: Better, Better: Worse, Same: Same, Changed: Changed, Unknown: Unknown}
	for range 200 {
		a := sample(r, "a", r.IntN(12), time.Duration(1+r.IntN(3))*time.Second, r.IntN(3), treeOld)
		b := sample(r, "b", r.IntN(12), time.Duration(1+r.IntN(3))*time.Second, r.IntN(3), treeOld)
		forward, back := Compare(a, b), Compare(b, a)
		for i, m := range forward.Metrics {
			if got := back.Metrics[i].Verdict; got != opposite[m.Verdict] {
				t.Fatalf("%s is %s, and %s if the sides are exchanged; %+v %+v", m.Name, m.Verdict, got, m, back.Metrics[i])
			}
		}
		slices.Reverse(a.Runs)
		if diff := cmp.Diff(forward.Metrics, Compare(a, b).Metrics, cmp.AllowUnexported(Metric{})); diff != "" {
			t.Fatalf("the order of runs matters:\n%s", diff)
		}
	}
}

func TestStructure(t *testing.T) {
	t.Parallel()
	runs := func(trees ...string) Set {
		s := Set{}
		for _, tree := range trees {
			s.Runs = append(s.Runs, Run{Tree: tree})
		}
		return s
	}
	for name, tc := range map[string]struct {
		a, b Set
		want Structure
	}{
		"equal":          {runs(treeOld), runs(treeOld), Structure{Known: 1}},
		"in other order": {runs(treeOld), runs("reconcile Cache\n  update_status Cache\n  create Deployment\n"), Structure{Known: 1}},
		"one of several": {runs("x\n", treeOld), runs(treeOld, "x\n", treeOld), Structure{Known: 3}},
		"came and went":  {runs(treeOld), runs(treeNew, treeOld), Structure{Known: 1, Came: []string{"create Service"}, Went: []string{"update_status Cache"}}},
		"repeated":       {runs("a\n  + b\n"), runs("a\n  b\n"), Structure{Known: 1}},
		"status":         {runs("a\n"), runs("a [status=Error]\n"), Structure{Other: []string{"different: a (line 1) span 1: status is Error, want any other"}}},
		"moved":          {runs("a\n  b\n  c\n"), runs("a\n  b\n    c\n"), Structure{Moved: []string{"c"}}},
		"nothing":        {Set{}, Set{}, Structure{}},
		"nothing before": {Set{}, runs("a\n"), Structure{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, structure(tc.a, tc.b)); diff != "" {
				t.Errorf("structure (-want +got):\n%s", diff)
			}
		})
	}
}

// A line feed in the name of a span starts no line of the report.
func TestWriteTextEscapesNames(t *testing.T) {
	t.Parallel()
	const name = "tide\nforged"
	report := Report{A: name, Verdict: Unknown, Metrics: []Metric{{Name: name, Verdict: Unknown}}, Structure: Structure{Came: []string{name}}}
	var got strings.Builder
	if err := errors.Join(report.WriteText(&got), WriteSummary(&got, Set{Name: name}, false)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got.String(), "\nforged") || strings.Count(got.String(), `tide\nforged`) < 4 {
		t.Errorf("WriteText wrote %q, want escaped names", got.String())
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	before, after := sample(r, "main", 20, time.Second, 6, treeOld), sample(r, "this | branch", 20, 1700*time.Millisecond, 7, treeNew)
	for name, report := range map[string]Report{
		"worse": Compare(before, after), "same": Compare(before, before), "equal": Compare(Set{"a.json", before.Runs[:1]}, Set{"b.json", before.Runs[:1]}), "single": Compare(Set{"a.json", before.Runs[:1]}, Set{"b.json", after.Runs[:1]}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			if err := report.WriteText(&got); err != nil {
				t.Fatal(err)
			}
			got.WriteString("\n----\n\n")
			if err := report.WriteMarkdown(&got); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseSet(t *testing.T) {
	t.Parallel()
	want := sample(rand.New(rand.NewPCG(9, 9)), "a", 3, time.Second, 6, treeOld)
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseSet(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseSet (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"": "reading measurements: unexpected end of JSON input", "{}": "reading measurements: no runs", `{"runs":[{"tree":"  a"}]}`: "run 1: tree:1:3:",
	} {
		if _, err := ParseSet([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseSet(%q) = %v, want %s", text, err, want)
		}
	}
}
