package finding

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// byStart returns the spans of a role, ordered by start.
func (w *work) byStart(role spantree.Role) []*spantree.Node {
	var nodes []*spantree.Node
	for _, n := range w.nodes {
		if n.Span.Role() == role {
			nodes = append(nodes, n)
		}
	}
	slices.SortStableFunc(nodes, func(a, b *spantree.Node) int { return a.Span.Start.Compare(b.Span.Start) })
	return nodes
}

var slowWebhook = Detector{
	ID: "slow-webhook", Title: "Webhook slower than its budget",
	Explanation: "The user's request waited for the webhook, and fails after the webhook's timeout (10 s by default).\n" +
		"Move slow work, such as requests to other services, to a controller.",
	find: findSlowWebhook,
}

func findSlowWebhook(w *work, o Options) []Finding {
	var found []Finding
	for _, n := range w.byStart(spantree.RoleWebhook) {
		if took := n.Span.Duration(); took > o.WebhookBudget {
			found = append(found, newFinding(objectOf(&n.Span).String(), fmt.Sprintf("the webhook took %s, with a budget of %s", round(took), o.WebhookBudget), n))
		}
	}
	return found
}

var notConverged = Detector{
	ID: "not-converged", Title: "Never converged",
	Explanation: "The trace ended before the object of the change reached its condition.\n" +
		"The last transition of the condition has the reason; check the objects that the operator waits for.",
	find: findNotConverged,
}

func findNotConverged(w *work, o Options) []Finding {
	if o.grows(w) {
		return nil
	}
	target := w.target()
	if target.name == "" || w.isDeleted(target) {
		return nil
	}
	last := map[string]change{}
	for _, n := range w.nodes {
		if of := objectOf(&n.Span); target.same(of) {
			for _, e := range n.Span.Events {
				condition, to, ok := transition(e.Name)
				if ok && !e.Time.Before(last[condition].at) {
					reason, _ := e.Attributes["operator.condition.reason"].(string)
					last[condition] = change{e.Time, to, reason, n}
				}
			}
		}
	}
	for _, condition := range o.Conditions {
		c, found := last[condition]
		switch {
		case !found:
			continue
		case c.to == "True":
			return nil
		}
		summary := fmt.Sprintf("the condition %s is %s at the end of the trace", condition, c.to)
		if c.reason != "" {
			summary += " (" + c.reason + ")"
		}
		return []Finding{newFinding(target.String(), summary, c.node)}
	}
	if !o.named {
		return nil
	}
	summary := "no write set the condition " + strings.Join(o.Conditions, " or ")
	if len(last) > 0 {
		summary += "; the trace has " + strings.Join(slices.Sorted(maps.Keys(last)), ", ")
	}
	return []Finding{newFinding(target.String(), summary, w.forest.Roots[0])}
}

// grows reports whether the object of a live trace may still converge.
func (o Options) grows(w *work) bool { return !o.Now.IsZero() && o.Now.Sub(w.end()) < o.Settle }

// Unfinished returns why a live trace is not finished: its object may still reach its condition, so
// findings can follow. It is empty for a finished trace.
func Unfinished(forest *spantree.Forest, options Options) string {
	options = options.withDefaults()
	w := workOf(forest)
	if !options.grows(w) {
		return ""
	}
	options.Now, options.named = time.Time{}, true
	for _, f := range findNotConverged(w, options) {
		return f.Object + ": " + strings.Replace(f.Summary, " at the end of the trace", " so far", 1)
	}
	return ""
}

// change is a change of a condition.
type change struct {
	at         time.Time
	to, reason string
	node       *spantree.Node
}

// same compares objects of different services.
func (o object) same(other object) bool {
	o.service, other.service = "", ""
	if o.group == "" || other.group == "" { // The span of an apply may lack it.
		o.group, other.group = "", ""
	}
	return o == other
}

// target returns the object of the change: the object of the first root.
func (w *work) target() object {
	for _, root := range w.forest.Roots {
		if o := objectOf(&root.Span); o.name != "" {
			return o
		}
	}
	return object{}
}

func (w *work) isDeleted(o object) bool {
	return slices.ContainsFunc(w.nodes, func(n *spantree.Node) bool {
		switch verb(n) {
		case "delete", "remove", "remove_finalizer":
			return o.same(objectOf(&n.Span))
		}
		return false
	})
}

func (w *work) end() time.Time {
	var end time.Time
	for _, n := range w.nodes {
		if n.Span.End.After(end) {
			end = n.Span.End
		}
	}
	return end
}

var missingSpans = Detector{
	ID: "missing-spans", Title: "Missing spans",
	Explanation: "The trace lacks spans, so other findings and counts may be wrong.\n" +
		"Check the exporter's errors and queue, the sampler, and that the backend received the spans of every process.",
	find: findMissingSpans,
}

func findMissingSpans(w *work, o Options) []Finding {
	if o.Incomplete {
		return nil
	}
	var orphans, broken, dropped, uncaused []*spantree.Node
	for _, n := range w.nodes {
		switch {
		case n.Defect == spantree.DefectOrphan:
			orphans = append(orphans, n)
		case n.Defect != "":
			broken = append(broken, n)
		}
		if number(n.Span.Attributes, "operator.reconcile.spans_dropped") > 0 {
			dropped = append(dropped, n)
		}
		if n.Span.Role() != spantree.RoleReconcile {
			continue
		}
		if cause, write, known := w.cause(&reconcile{Node: n}); known && write == nil && w.traces[cause.trace] {
			uncaused = append(uncaused, n)
		}
	}
	var parts []string
	for _, part := range []struct {
		spans []*spantree.Node
		what  string
	}{
		{orphans, "with a missing parent"}, {uncaused, "without the write that triggered it"},
		{broken, "with an ID that does not fit"}, {dropped, "with more reads than a reconcile may have"},
	} {
		if len(part.spans) > 0 {
			parts = append(parts, format.Count(len(part.spans), "span")+" "+part.what)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	spans := slices.Concat(orphans, uncaused, broken, dropped)
	slices.SortFunc(spans, func(a, b *spantree.Node) int {
		return cmp.Or(a.Span.Start.Compare(b.Span.Start), cmp.Compare(a.Span.SpanID, b.Span.SpanID))
	})
	return []Finding{newFinding("", strings.Join(parts, ", "), slices.Compact(spans)...)}
}
