package finding

import (
	"fmt"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

var selfTriggered = Detector{
	ID: "self-triggered-reconcile", Title: "Self-triggered reconcile",
	Explanation: "The operator's own write of the object triggered a reconcile, whose writes changed nothing.\n" +
		"Ignore such events, for example with predicate.GenerationChangedPredicate, and compare before a write.",
	find: findSelfTriggered,
}

func findSelfTriggered(w *work, _ Options) []Finding {
	var found []Finding
	for _, o := range w.objects {
		var spans []*spantree.Node
		count := 0
		for _, r := range w.reconciles[o] {
			_, write, known := w.cause(r)
			others := number(r.Span.Attributes, "operator.reconcile.events") > 1
			if !known || others || !r.causedBySelf() || r.requeued() || !r.isFutile() {
				continue
			}
			count++
			if spans = append(spans, r.Node); write != nil {
				spans = append(spans, write)
			}
		}
		if count > 0 {
			found = append(found, newFinding(o.String(), format.Count(count, "reconcile")+" without effect, triggered by the operator's own writes of the object", spans...))
		}
	}
	return found
}

// isFutile reports whether a reconcile succeeded, and its writes changed nothing. Applies do not
// count: they are meant to be repeated.
func (r *reconcile) isFutile() bool {
	writes := 0
	for _, n := range r.writes {
		if n.Span.Attributes["operator.write.unchanged"] != true {
			return false
		}
		if verb(n) != "apply" {
			writes++
		}
	}
	return writes > 0 && r.failed() == ""
}

var unchangedWrite = Detector{
	ID: "unchanged-write", Title: "Unchanged writes",
	Explanation: "The operator sent writes that left the object as it was: each is a request without an effect.\n" +
		"Compare the object with the version that was read, for example with equality.Semantic.DeepEqual, and skip the write.",
	find: findUnchanged,
}

func findUnchanged(w *work, _ Options) []Finding {
	type target struct {
		object object
		name   string // of the span
	}
	var order []target
	writes := map[target][]*spantree.Node{}
	for _, n := range w.nodes {
		if n.Span.Role() != spantree.RoleWrite || n.Span.Attributes["operator.write.unchanged"] != true || verb(n) == "apply" {
			continue
		}
		t := target{objectOf(&n.Span), n.Span.Name}
		if writes[t] == nil {
			order = append(order, t)
		}
		writes[t] = append(writes[t], n)
	}
	var found []Finding
	for _, t := range order {
		if spans := writes[t]; len(spans) >= MinUnchanged {
			found = append(found, newFinding(t.object.String(), fmt.Sprintf("%d × %s changed nothing", len(spans), t.name), spans...))
		}
	}
	return found
}

var staleReadConflict = Detector{
	ID: "stale-read-conflict", Title: "Stale read, then a conflict",
	Explanation: "A read returned an older version than the operator itself had written, and the API server rejected the write based on it.\n" +
		"Use the object that the write returned instead of reading it again, or requeue until the cache has it.",
	find: findStaleReadConflict,
}

func findStaleReadConflict(w *work, _ Options) []Finding {
	var found []Finding
	for _, o := range w.objects {
		spans := map[object][]*spantree.Node{}
		count := map[object]int{}
		var order []object
		for _, r := range w.reconciles[o] {
			for _, n := range r.writes {
				to := objectOf(&n.Span)
				if !n.Span.HasEvent("conflict") || !r.readStale(to, n) {
					continue
				}
				if count[to]++; count[to] == 1 {
					order = append(order, to)
				}
				spans[to] = append(spans[to], r.Node, n)
			}
		}
		for _, to := range order {
			found = append(found, newFinding(to.String(), format.Count(count[to], "write")+" after a stale read ended in a conflict", spans[to]...))
		}
	}
	return found
}

// readStale reports whether the reconcile read an old version of an object before a write started.
func (r *reconcile) readStale(o object, write *spantree.Node) bool {
	for _, e := range r.Span.Events {
		read := object{r.Span.Service, "", "", "", ""}
		read.group, _ = e.Attributes["operator.object.group"].(string)
		read.kind, _ = e.Attributes["operator.object.kind"].(string)
		read.namespace, _ = e.Attributes["k8s.namespace.name"].(string)
		read.name, _ = e.Attributes["operator.object.name"].(string)
		if e.Name == "stale_read" && read == o && !e.Time.After(write.Span.Start) {
			return true
		}
	}
	return false
}

var duplicateCreate = Detector{
	ID: "duplicate-create", Title: "Duplicate create",
	Explanation: "The operator created an object that it had created before, because its cache did not have the object yet.\n" +
		"Treat AlreadyExists as success or use server-side apply, and return after a create instead of starting over.",
	find: findDuplicateCreate,
}

func findDuplicateCreate(w *work, _ Options) []Finding {
	created := map[object]*spantree.Node{}
	failed := map[object]bool{}
	deleted := map[object]bool{}
	refused := map[object][]*spantree.Node{}
	var order []object
	for _, n := range w.byStart(spantree.RoleWrite) {
		o := objectOf(&n.Span)
		switch {
		case verb(n) == "delete" || verb(n) == "remove_finalizer":
			deleted[o] = true
		case verb(n) != "create" || o.name == "":
		case n.Span.Changed():
			created[o], deleted[o] = n, false
		case n.Span.HasEvent("already_exists") && created[o] != nil && !deleted[o]:
			if refused[o] == nil {
				refused[o], order = []*spantree.Node{created[o]}, append(order, o)
			}
			refused[o] = append(refused[o], n)
			if r := w.writer[n]; r != nil && r.failed() != "" {
				failed[o] = true
			}
		}
	}
	var found []Finding
	for _, o := range order {
		if len(refused[o])-1 < MinDuplicates && !failed[o] {
			continue
		}
		times := format.Count(len(refused[o])-1, "more create")
		found = append(found, newFinding(o.String(), times+" of an object that the operator had created", refused[o]...))
	}
	return found
}
