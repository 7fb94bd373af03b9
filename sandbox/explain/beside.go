package explain

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// maxBranches is the number of spans beside the path in an explanation.
const maxBranches = 5

// readyOf returns the spans in which the objects became ready that the loop of an object writes and
// reacts to, by end.
func (g *graph) readyOf(o Object) []*node {
	if known, done := g.readiness[o]; done {
		return known
	}
	var found []*node
	for uid := range g.related[o] {
		for _, n := range g.writes[uid] {
			if n.object != o && n.madeReady() {
				found = append(found, n)
			}
		}
	}
	slices.SortFunc(found, byEnd)
	g.readiness[o] = found
	return found
}

func (n *node) madeReady() bool {
	return slices.ContainsFunc(conditions, func(c string) bool { return n.transition(c, "True") != nil })
}

// becameReady returns the last span within a time in which an object became ready that a reconcile
// is about, or nil.
func (w *walk) becameReady(n *node, from, to time.Time) *node {
	all := w.readyOf(n.object)
	after, _ := slices.BinarySearchFunc(all, to, func(n *node, to time.Time) int {
		if n.span.End.After(to) {
			return 1
		}
		return -1
	})
	for _, ready := range slices.Backward(all[:after]) {
		if ready.span.End.Before(from) {
			break
		}
		if !w.visited[ready] {
			return ready
		}
	}
	return nil
}

// inputs returns the objects that the explained object needed. The last one is on the chain.
func (g *graph) inputs(goal goal, chain []*node) []Input {
	at := slices.IndexFunc(chain, func(n *node) bool { return n.object != goal.object && n.object.Name != "" })
	if at < 0 || goal.condition == "" || strings.HasPrefix(chain[at].span.Name, "remove ") {
		return nil // Without other objects, or the last of them was not needed.
	}
	last := chain[at]
	inputs, seen := []Input{{Object: last.object}}, map[Object]bool{last.object: true}
	for _, ready := range slices.Backward(g.readyOf(goal.object)) {
		if !seen[ready.object] && !ready.span.End.After(last.span.End) {
			seen[ready.object] = true
			inputs = append(inputs, Input{ready.object, last.span.End.Sub(ready.span.End)})
		}
	}
	if len(inputs) == 1 {
		return nil
	}
	return inputs
}

// offPath returns the longest spans that took none of the time.
func (g *graph) offPath(w *walk) []Branch {
	var branches []Branch
	for _, n := range g.nodes {
		if (n.role == roleWrite || n.role == roleReaction || n.role == roleReconcile) && !w.visited[n] && n.span.Duration() > 0 {
			branches = append(branches, Branch{n.ref(), n.span.Duration()})
		}
	}
	slices.SortStableFunc(branches, func(a, b Branch) int { return cmp.Compare(b.Duration, a.Duration) })
	return branches[:min(len(branches), maxBranches)]
}
