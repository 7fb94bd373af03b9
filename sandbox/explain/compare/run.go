package compare

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain"
)

// Run has the numbers of one trace. It can be stored as JSON.
type Run struct {
	TraceID string          `json:"traceId"`
	Counts  spantree.Counts `json:"counts"`
	// Durations are in nanoseconds: the total, and the parts of the critical path.
	Durations map[string]time.Duration `json:"durations"`
	// Tree is the structure as an expected tree: names, kinds, services and statuses.
	Tree string `json:"tree"`
}

// SegmentTotal is the name of the time from the start of the change until the object was ready.
const SegmentTotal = "total"

// durations returns the total and the critical path of a trace, summed up by actor and reason. A
// part that a trace lacks counts as zero if another trace has it.
func durations(forest *spantree.Forest) (map[string]time.Duration, error) {
	e, err := explain.Of(forest, explain.Options{})
	if err != nil {
		return nil, err
	}
	sums := map[string]time.Duration{SegmentTotal: e.Total}
	for _, s := range e.Path {
		sums[strings.TrimPrefix(s.Actor+": "+s.Reason.String(), ": ")] += s.Duration
	}
	return sums, nil
}

// NewRun measures a trace. The structure is of the spans in tree, which is usually the trace without
// the spans of the observer. The error says why a tree has no structure that can be compared, for
// example because parents are missing.
func NewRun(traceID string, forest, tree *spantree.Forest) (Run, error) {
	recorded, err := spantree.Record(plain(tree), spantree.RecordOptions{Attributes: []spantree.Rule{}, Fold: true})
	if err != nil {
		return Run{}, fmt.Errorf("comparing trace %s: %w", traceID, err)
	}
	times, err := durations(forest)
	if err != nil {
		return Run{}, fmt.Errorf("comparing trace %s: %w", traceID, err)
	}
	return Run{TraceID: traceID, Counts: forest.Counts(""), Durations: times, Tree: recorded.String()}, nil
}

// plain returns the forest without links: whether a span has one differs from run to run.
func plain(forest *spantree.Forest) *spantree.Forest {
	spans := forest.Spans()
	for i := range spans {
		spans[i].Links = nil
	}
	return spantree.Build(spans)
}

// Set has the runs of one side of a comparison.
type Set struct {
	// Name describes the side.
	Name string `json:"name"`
	Runs []Run  `json:"runs"`
}

// ParseSet parses the JSON form of a Set. The error is nil only if it has runs.
func ParseSet(data []byte) (Set, error) {
	var s Set
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("reading measurements: %w", err)
	}
	if len(s.Runs) == 0 {
		return s, fmt.Errorf("reading measurements: no runs")
	}
	for i, r := range s.Runs {
		if _, err := spantree.Parse("tree", r.Tree); err != nil {
			return s, fmt.Errorf("reading measurements: run %d: %w", i+1, err)
		}
	}
	return s, nil
}

// segmentsOf returns the names of the durations of all runs: the total, then the others by name.
func segmentsOf(sets ...Set) []string {
	var names []string
	for _, s := range sets {
		for _, r := range s.Runs {
			for name := range r.Durations {
				names = append(names, name)
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(boolCompare(b == SegmentTotal, a == SegmentTotal), cmp.Compare(a, b))
	})
	return slices.Compact(names)
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
