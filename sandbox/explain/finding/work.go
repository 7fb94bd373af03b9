package finding

import (
	"cmp"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// object identifies an object within one service. The UID is not part of it, because spans of
// failed writes do not have it.
type object struct{ service, group, kind, namespace, name string }

// String returns KIND NAMESPACE/NAME.
func (o object) String() string {
	return strings.TrimPrefix(o.kind+" "+strings.TrimPrefix(o.namespace+"/"+o.name, "/"), " ")
}

func objectOf(s *spantree.Span) object {
	return object{s.Service, text(s, "operator.object.group"), text(s, "operator.object.kind"), text(s, "k8s.namespace.name"), text(s, "operator.object.name")}
}

// reconcile is a reconcile with its writes, which are not the writes of reconciles below it.
type reconcile struct {
	*spantree.Node
	object object
	writes []*spantree.Node
}

// id is the id of a span.
type id struct{ trace, span string }

func idOf(n *spantree.Node) id { return id{n.Span.TraceID, n.Span.SpanID} }

// work is what an operator did, as far as a trace shows it.
type work struct {
	forest *spantree.Forest
	nodes  []*spantree.Node
	spans  map[id]*spantree.Node
	traces map[string]bool
	// objects are the reconciled objects, in the order of their first reconcile.
	objects    []object
	reconciles map[object][]*reconcile // ordered by start
	// writer is the reconcile of a write.
	writer map[*spantree.Node]*reconcile
}

func workOf(forest *spantree.Forest) *work {
	if forest == nil {
		forest = &spantree.Forest{}
	}
	w := &work{forest: forest, spans: map[id]*spantree.Node{}, traces: map[string]bool{}, reconciles: map[object][]*reconcile{}, writer: map[*spantree.Node]*reconcile{}}
	var above []*reconcile // by depth
	forest.Walk(func(n *spantree.Node, depth int) bool {
		w.nodes = append(w.nodes, n)
		w.traces[n.Span.TraceID] = true
		if _, taken := w.spans[idOf(n)]; !taken {
			w.spans[idOf(n)] = n
		}
		var r *reconcile
		if depth > 0 {
			r = above[depth-1]
		}
		switch n.Span.Role() {
		case spantree.RoleReconcile:
			r = &reconcile{Node: n, object: objectOf(&n.Span)}
			if w.reconciles[r.object] == nil {
				w.objects = append(w.objects, r.object)
			}
			w.reconciles[r.object] = append(w.reconciles[r.object], r)
		case spantree.RoleWrite:
			if r != nil {
				r.writes = append(r.writes, n)
				w.writer[n] = r
			}
		}
		above = append(above[:depth], r)
		return true
	})
	for _, all := range w.reconciles {
		slices.SortStableFunc(all, func(a, b *reconcile) int {
			return cmp.Or(a.Span.Start.Compare(b.Span.Start), cmp.Compare(a.Span.SpanID, b.Span.SpanID))
		})
	}
	return w
}

// cause returns the id of the write of this operator that triggered a reconcile, and the write if
// it is in the trace.
func (w *work) cause(r *reconcile) (cause id, write *spantree.Node, known bool) {
	cause = id{cmp.Or(text(&r.Span, "operator.reconcile.cause.trace_id"), r.Span.TraceID), text(&r.Span, "operator.reconcile.cause.span_id")}
	if cause.span == "" {
		return id{}, nil, false
	}
	return cause, w.spans[cause], true
}

// causedBySelf reports whether the object that triggered the reconcile is the reconciled one.
func (r *reconcile) causedBySelf() bool {
	return text(&r.Span, "operator.reconcile.cause.kind") == r.object.kind &&
		text(&r.Span, "operator.reconcile.cause.name") == r.object.name &&
		text(&r.Span, "operator.reconcile.cause.namespace") == r.object.namespace
}

// progresses reports whether a reconcile changed an object, other than the status of its own object
// without a change of a condition.
func (r *reconcile) progresses() bool {
	return slices.ContainsFunc(r.writes, func(n *spantree.Node) bool {
		return n.Span.Changed() && (!isStatus(n) || objectOf(&n.Span) != r.object || hasTransition(&n.Span))
	})
}

// failed returns what a reconcile failed with, as one text; empty if it succeeded.
func (r *reconcile) failed() string {
	switch {
	case r.Span.Status.Code == spantree.StatusError:
		return strings.TrimPrefix(text(&r.Span, "error.type")+": "+r.Span.Status.Message, ": ")
	case r.Span.HasEvent("conflict"):
		return "conflict"
	case r.Span.HasEvent("already_exists"):
		return "already exists"
	}
	return ""
}

// requeued reports whether an earlier reconcile asked for this one, and no error is the reason.
func (r *reconcile) requeued() bool {
	reason := text(&r.Span, "operator.reconcile.requeue_reason")
	return reason == "requeue" || reason == "requeue_after"
}

func isStatus(n *spantree.Node) bool { return verb(n) == "update_status" }

func verb(n *spantree.Node) string {
	verb, _, _ := strings.Cut(n.Span.Name, " ")
	return verb
}

// transition splits the name of the event of a condition's change, for example "Ready: False→True".
func transition(name string) (condition, to string, ok bool) {
	condition, change, found := strings.Cut(name, ": ")
	_, to, changed := strings.Cut(change, "→")
	return condition, to, found && changed
}

func hasTransition(s *spantree.Span) bool {
	return slices.ContainsFunc(s.Events, func(e spantree.Event) bool {
		_, _, ok := transition(e.Name)
		return ok
	})
}

func text(s *spantree.Span, key string) string {
	value, _ := s.Attributes[key].(string)
	return value
}

// number returns the value of an attribute; 0 if it is not a number.
func number(attributes map[string]any, key string) float64 {
	switch v := attributes[key].(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// runs splits reconciles into the longest sequences in which next is true for each two neighbours.
func runs(all []*reconcile, next func(a, b *reconcile) bool) [][]*reconcile {
	var out [][]*reconcile
	for i, r := range all {
		if i > 0 && next(all[i-1], r) {
			out[len(out)-1] = append(out[len(out)-1], r)
			continue
		}
		out = append(out, []*reconcile{r})
	}
	return out
}

func nodesOf(all []*reconcile) []*spantree.Node {
	nodes := make([]*spantree.Node, len(all))
	for i, r := range all {
		nodes[i] = r.Node
	}
	return nodes
}
