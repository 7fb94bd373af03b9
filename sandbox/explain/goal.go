package explain

import (
	"fmt"
	"slices"
	"time"
)

// conditions are the conditions of a ready object, the most common first.
var conditions = []string{"Ready", "Available", "Complete", "Established", "Succeeded"}

// Readiness reports whether a condition says that its object is ready.
func Readiness(condition string) bool { return slices.Contains(conditions, condition) }

// goal is the span whose end is explained.
type goal struct {
	node      *node
	object    Object
	condition string // empty if the span made no condition true
}

// matches reports whether an object has the fields that are set. A namespace may be absent.
func (o Object) matches(other Object) bool {
	return (o.Kind == "" || o.Kind == other.Kind) && (o.Name == "" || o.Name == other.Name) &&
		(o.Namespace == "" || other.Namespace == "" || o.Namespace == other.Namespace)
}

func (g *graph) goal(options Options) (goal, error) {
	if options.SpanID != "" {
		for _, n := range g.nodes {
			if n.span.SpanID == options.SpanID {
				return goal{node: n, object: n.object}, nil
			}
		}
		return goal{}, fmt.Errorf("finding the span to explain: no span %q in the trace", options.SpanID)
	}
	object := options.Object
	if object == (Object{}) {
		object = g.subject()
	}
	writes := g.writesOf(object)
	if len(writes) == 0 && options.Object != (Object{}) {
		return goal{}, fmt.Errorf("finding the span to explain: no write of %s in the trace", options.Object)
	}
	wanted := conditions
	if options.Condition != "" {
		wanted = []string{options.Condition}
	}
	if found, condition := g.ready(writes, wanted); found != nil {
		return goal{found, found.object, condition}, nil
	}
	if options.Condition != "" {
		return goal{}, fmt.Errorf("finding the span to explain: no write made %s of %s true", options.Condition, object)
	}
	return goal{node: g.last(writes, wanted), object: object}, nil
}

// subject returns the object of the first root. A webhook does not know a generated name, so the
// name can be of a later span.
func (g *graph) subject() Object {
	kind := g.roots[0].object.Kind // A converge root, too, is about the object.
	for _, n := range g.nodes {
		if n.object.Name != "" && (kind == "" || n.object.Kind == kind) {
			return n.object
		}
	}
	return Object{}
}

// writesOf returns the writes of an object, by end.
func (g *graph) writesOf(o Object) []*node {
	var writes []*node
	if o == (Object{}) {
		return nil
	}
	for _, n := range g.nodes {
		if (n.role == roleWrite || n.role == roleReaction) && !n.failed() && o.matches(n.object) {
			writes = append(writes, n)
		}
	}
	slices.SortStableFunc(writes, byEnd)
	return writes
}

// ready returns the first write that made one of the conditions true. If the operator recorded when
// the object converged, it is the last such write until then.
func (g *graph) ready(writes []*node, wanted []string) (found *node, condition string) {
	for _, condition := range wanted {
		for _, n := range writes {
			if n.transition(condition, "True") == nil {
				continue
			}
			if found == nil {
				found = n
			}
			if end, recorded := g.converged[n.object]; recorded && !n.span.Start.After(end) {
				found = n
			}
		}
		if found != nil {
			return found, condition
		}
	}
	return nil, ""
}

// last returns the end of an explanation without a ready object: the last write of the object or, if
// the object has one of the conditions, and so is not ready, of the trace.
func (g *graph) last(writes []*node, wanted []string) *node {
	waits := slices.ContainsFunc(writes, func(n *node) bool {
		return slices.ContainsFunc(wanted, func(c string) bool { return n.transition(c, "False") != nil || n.transition(c, "Unknown") != nil })
	})
	if len(writes) > 0 && !waits {
		return writes[len(writes)-1]
	}
	best := g.nodes[0]
	for _, n := range g.nodes {
		if n.role != roleConverge && (best.role == roleConverge || byEnd(n, best) > 0) {
			best = n
		}
	}
	return best
}

// start returns the start of the earliest root. A converge span can start with the creationTimestamp,
// which has no fraction of a second, and so counts only without other roots.
func (g *graph) start() time.Time {
	roots := slices.DeleteFunc(slices.Clone(g.roots), func(n *node) bool { return n.role == roleConverge })
	if len(roots) == 0 {
		roots = g.roots
	}
	return slices.MinFunc(roots, byStart).span.Start
}
