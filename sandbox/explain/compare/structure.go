package compare

import (
	"fmt"
	"slices"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Structure compares which spans the traces have, and below which.
type Structure struct {
	// Known is the number of runs of B that have the structure of a run of A.
	Known int `json:"known"`
	// Went are spans of A that the most frequent other structure of B lacks, Came are spans that
	// only B has, and Moved have another parent in B. They are compared with the most similar
	// structure of A.
	Went  []string `json:"went,omitempty"`
	Came  []string `json:"came,omitempty"`
	Moved []string `json:"moved,omitempty"`
	// Other are differences of conditions, for example of a status.
	Other []string `json:"other,omitempty"`
}

// maxTrees is the maximum number of different structures of a side that are compared.
const maxTrees = 50

// variant is a structure with the number of its runs.
type variant struct {
	text string
	runs int
}

// variants returns the structures of a set, the most frequent first.
func variants(s Set) []variant {
	var all []variant
	index := map[string]int{}
	for _, r := range s.Runs {
		i, known := index[r.Tree]
		if !known {
			i = len(all)
			index[r.Tree], all = i, append(all, variant{text: r.Tree})
		}
		all[i].runs++
	}
	slices.SortStableFunc(all, func(a, b variant) int { return b.runs - a.runs })
	return all[:min(len(all), maxTrees)]
}

func structure(a, b Set) (s Structure) {
	before := variants(a)
	found := false
	for _, after := range variants(b) {
		forest := forestOf(after.text)
		closest, known := closestOf(before, forest)
		switch {
		case known:
			s.Known += after.runs
		case !found && closest != nil:
			found = true
			s.list(closest)
		}
	}
	return s
}

// closestOf returns the comparison with the structure that has the fewest differences, and whether
// it has none.
func closestOf(before []variant, got *spantree.Forest) (closest []spantree.Difference, known bool) {
	for i, v := range before {
		want, err := spantree.Parse("tree", v.text)
		if err != nil {
			continue // ParseSet and NewRun have checked it.
		}
		result := spantree.Match(want, got)
		if result.OK() {
			return nil, true
		}
		if differences := result.Differences(); i == 0 || len(differences) < len(closest) {
			closest = differences
		}
	}
	return closest, false
}

func (s *Structure) list(differences []spantree.Difference) {
	for _, d := range differences {
		switch {
		case d.Type == spantree.Missing:
			s.Went = append(s.Went, d.Want.Name)
		case d.Type == spantree.Extra:
			s.Came = append(s.Came, d.Got.Span.Name)
		case d.Type == spantree.Moved:
			s.Moved = append(s.Moved, d.Got.Span.Name)
		default:
			s.Other = append(s.Other, fmt.Sprint(d))
		}
	}
}

// forestOf returns a forest with one span for each line of a recorded tree.
func forestOf(text string) *spantree.Forest {
	tree, err := spantree.Parse("tree", text)
	if err != nil {
		return &spantree.Forest{}
	}
	var spans []spantree.Span
	var add func(parent, service string, lines []*spantree.Expected)
	add = func(parent, service string, lines []*spantree.Expected) {
		for _, line := range lines {
			own := service
			if line.Service != "" {
				own = line.Service
			}
			id := fmt.Sprintf("%x", len(spans)+1)
			spans = append(spans, spantree.Span{
				TraceID: "1", SpanID: id, ParentSpanID: parent, Name: line.Name, Kind: line.Kind, Service: own,
				Status: spantree.Status{Code: line.Status}, Start: time.Unix(int64(len(spans)), 0),
			})
			add(id, own, line.Children)
		}
	}
	add("", "", tree.Roots)
	return spantree.Build(spans)
}
