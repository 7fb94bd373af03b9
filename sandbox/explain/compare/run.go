package compare

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Run has the numbers of one trace. It can be stored as JSON.
type Run struct {
	TraceID string          `json:"traceId"`
	Counts  spantree.Counts `json:"counts"`
	// Durations are in nanoseconds, by segment.
	Durations map[string]time.Duration `json:"durations"`
	// Tree is the structure as an expected tree: names, kinds, services and statuses.
	Tree string `json:"tree"`
}

// Segments divides the time of a trace into named durations. A segment that a trace lacks counts as
// zero if another trace has it.
type Segments func(*spantree.Forest) map[string]time.Duration

// The segments of [Sums]. The observer has the time of other controllers only.
const (
	// SegmentTotal is the time from the first start of a span until the object of the trace was
	// ready or, if the trace does not show that, until the last end.
	SegmentTotal = "total"
	// SegmentWebhooks, SegmentReconciles and SegmentWrites are sums of the spans' durations.
	// Reconciles contain their writes.
	SegmentWebhooks   = "in webhooks"
	SegmentReconciles = "in reconciles"
	SegmentWrites     = "in writes"
	// SegmentQueue is the sum of the times in the controllers' queues, without requested delays.
	SegmentQueue = "in queues"
	// SegmentDelays is the sum of requested delays and back-offs.
	SegmentDelays = "in delays"
)

// Sums is the default [Segments].
func Sums(forest *spantree.Forest) map[string]time.Duration {
	sums := map[string]time.Duration{SegmentTotal: total(forest)}
	names := map[spantree.Role]string{
		spantree.RoleWebhook: SegmentWebhooks, spantree.RoleReconcile: SegmentReconciles, spantree.RoleWrite: SegmentWrites,
	}
	forest.Walk(func(n *spantree.Node, depth int) bool {
		role := n.Span.Role()
		if name := names[role]; name != "" && (depth > 0 || role != spantree.RoleWrite) { // Not the write of the user.
			sums[name] += max(0, n.Span.Duration())
		}
		if role == spantree.RoleReconcile {
			sums[SegmentQueue] += seconds(n, "operator.reconcile.queue_wait")
			sums[SegmentDelays] += seconds(n, "operator.reconcile.delay")
		}
		return true
	})
	return sums
}

func seconds(n *spantree.Node, key string) time.Duration {
	value, _ := n.Span.Attributes[key].(float64)
	return time.Duration(value * float64(time.Second))
}

// total returns the time from the first start until the object of the first root was ready.
func total(forest *spantree.Forest) time.Duration {
	var start, end, ready time.Time
	target := ""
	forest.Walk(func(n *spantree.Node, _ int) bool {
		if target == "" {
			target = objectOf(n)
		}
		if start.IsZero() || n.Span.Start.Before(start) {
			start = n.Span.Start
		}
		end = latest(end, n.Span.End)
		for _, e := range n.Span.Events {
			if objectOf(n) == target && (strings.HasPrefix(e.Name, "Ready: ") || strings.HasPrefix(e.Name, "Available: ")) && strings.HasSuffix(e.Name, "→True") {
				ready = latest(ready, n.Span.End)
			}
		}
		return true
	})
	if !ready.IsZero() {
		end = ready
	}
	return max(0, end.Sub(start))
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// objectOf returns the kind and name of a span's object; empty if it is not known.
func objectOf(n *spantree.Node) string {
	name, _ := n.Span.Attributes["operator.object.name"].(string)
	kind, _ := n.Span.Attributes["operator.object.kind"].(string)
	namespace, _ := n.Span.Attributes["k8s.namespace.name"].(string)
	if name == "" {
		return ""
	}
	return kind + " " + namespace + "/" + name
}

// NewRun measures a trace. A nil segments is [Sums]. The structure is of the spans in tree, which is
// usually the trace without the spans of the observer. The error says why a tree has no structure
// that can be compared, for example because parents are missing.
func NewRun(traceID string, forest, tree *spantree.Forest, segments Segments) (Run, error) {
	if segments == nil {
		segments = Sums
	}
	recorded, err := spantree.Record(plain(tree), spantree.RecordOptions{Attributes: []spantree.Rule{}, Fold: true})
	if err != nil {
		return Run{}, fmt.Errorf("comparing trace %s: %w", traceID, err)
	}
	return Run{TraceID: traceID, Counts: forest.Counts(""), Durations: segments(forest), Tree: recorded.String()}, nil
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
