package finding

import (
	"cmp"
	"slices"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Finding is a defect that a trace shows.
type Finding struct {
	// ID is the ID of the detector.
	ID string `json:"id"`
	// Object is the object that the finding is about, as KIND NAMESPACE/NAME; empty if it is about
	// the trace.
	Object string `json:"object,omitempty"`
	// Summary says in one line what happened, with numbers.
	Summary string `json:"summary"`
	// Explanation says in two lines why it matters and what to do.
	Explanation string `json:"explanation"`
	// Document is the section about it, relative to the root of this repository.
	Document string `json:"document"`
	// Evidence are the spans that show it, at most [MaxEvidence], ordered by start.
	Evidence []Evidence `json:"evidence"`
	// More is the number of further spans.
	More int `json:"more,omitempty"`
}

// Evidence names a span.
type Evidence struct {
	TraceID string `json:"traceId"`
	SpanID  string `json:"spanId"`
	Name    string `json:"name"`
}

// Any stands for the IDs of all detectors in lists of findings that must not occur.
const Any = "any"

// Select returns the findings whose IDs are in a list, which can contain [Any].
func Select(found []Finding, ids []string) []Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f Finding) bool {
		return !slices.Contains(ids, Any) && !slices.Contains(ids, f.ID)
	})
}

// MaxEvidence is the maximum number of spans of a finding.
const MaxEvidence = 20

// Thresholds of the detectors. A healthy operator stays below them.
const (
	// MinUnchanged is the number of unchanged writes of one object.
	MinUnchanged = 2
	// MinDuplicates is the number of creates of an existing object, if no reconcile failed by one.
	MinDuplicates = 2
	// MinLoop is the number of reconciles of one object in a hot loop or in a requeue storm.
	MinLoop = 10
	// MaxLoopPause is the longest time between the starts of two reconciles of a requeue storm.
	MaxLoopPause = time.Second
	// MinErrors is the number of reconciles with the same error, over at least MinErrorTime.
	MinErrors    = 5
	MinErrorTime = time.Second
	// MinGrowth is the number of reconciles that each created another object of a kind, or that
	// each wrote the status after the object was ready.
	MinGrowth = 20
)

// Defaults of [Options].
const (
	DefaultWebhookBudget = time.Second
	DefaultSettle        = time.Minute
)

// Options configure the detectors. The zero value is useful.
type Options struct {
	// WebhookBudget is the time that a webhook may take (default DefaultWebhookBudget).
	WebhookBudget time.Duration
	// Conditions are the types of the condition that the trace's object must reach; the first that
	// occurs in the trace counts (default Ready, then Available). It is a finding if none of named ones
	// occurs.
	Conditions []string
	// Now is the time of a live trace. An object whose trace ended less than Settle (default
	// DefaultSettle) ago may still converge. The zero value means that the trace is finished.
	Now    time.Time
	Settle time.Duration
	// Incomplete is true if the trace is known to be cut. Missing spans are not reported then.
	Incomplete bool

	named bool // the caller named the conditions
}

func (o Options) withDefaults() Options {
	o.WebhookBudget = cmp.Or(max(o.WebhookBudget, 0), DefaultWebhookBudget)
	o.Settle = cmp.Or(max(o.Settle, 0), DefaultSettle)
	if o.named = len(o.Conditions) > 0; !o.named {
		o.Conditions = []string{"Ready", "Available"}
	}
	return o
}

// Detector finds one kind of defect.
type Detector struct {
	// ID is unique, and the anchor of the section in docs/findings.md.
	ID string
	// Title is a noun phrase.
	Title string
	// Explanation has two lines.
	Explanation string

	find func(*work, Options) []Finding
}

// Document returns the section about the detector's findings.
func (d Detector) Document() string { return "docs/findings.md#" + d.ID }

// Detectors returns all detectors, in the order of findings.
func Detectors() []Detector {
	return []Detector{
		selfTriggered, unchangedWrite, staleReadConflict, duplicateCreate,
		hotLoop, requeueStorm, constantError,
		slowWebhook, notConverged, unboundedGrowth, missingSpans,
	}
}

// IDs returns the IDs of all detectors.
func IDs() []string {
	var ids []string
	for _, d := range Detectors() {
		ids = append(ids, d.ID)
	}
	return ids
}

// Find returns the findings in a trace, in the order of [Detectors], and for each detector by
// object. It returns nil for a healthy trace and for a nil forest. The time is linear in the number
// of spans, except for sorting.
func Find(forest *spantree.Forest, options Options) []Finding {
	options = options.withDefaults()
	w := workOf(forest)
	var all []Finding
	for _, d := range Detectors() {
		found := d.find(w, options)
		slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(a.Object, b.Object) })
		for _, f := range found {
			f.ID, f.Explanation, f.Document = d.ID, d.Explanation, d.Document()
			all = append(all, f)
		}
	}
	return all
}

// newFinding returns a finding with its evidence.
func newFinding(object, summary string, spans ...*spantree.Node) Finding {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b *spantree.Node) int { return a.Span.Start.Compare(b.Span.Start) })
	f := Finding{Object: object, Summary: summary, More: max(0, len(spans)-MaxEvidence)}
	for _, n := range spans[:min(MaxEvidence, len(spans))] {
		f.Evidence = append(f.Evidence, Evidence{n.Span.TraceID, n.Span.SpanID, n.Span.Name})
	}
	return f
}
