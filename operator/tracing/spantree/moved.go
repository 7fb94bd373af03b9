package spantree

import "fmt"

// findMoved searches all spans without a line for the spans of missing lines, including spans that
// "..." accepts. If it finds none, the line is missing, and findMoved searches for its children: a
// lost span leaves its children elsewhere.
func (d *differ) findMoved() {
	leftOver := map[string][]*vertex{}
	breadthFirst(d.matcher.roots, func(v *vertex) bool {
		if d.lineOf[v] == nil {
			leftOver[v.Span.Name] = append(leftOver[v.Span.Name], v)
		}
		return true
	})
	for len(d.missing) > 0 {
		l := d.missing[0]
		d.missing = d.missing[1:]
		if v := d.closest(l.line, leftOver[l.Name]); v != nil {
			details := []string{fmt.Sprintf("want it %s, found %s", l.place(), v.place())}
			d.add(Moved, l.line, v, append(details, d.mismatches(l.line, v)...)...)
			d.pair(l.line, v)
			continue
		}
		details := []string{"want it " + l.place()}
		if l.found > 0 {
			details = append(details, fmt.Sprintf("found %d of them, want %s", l.found, l.Repeat))
			d.add(Missing, l.line, nil, details...)
			continue // The children were already compared with the spans that were found.
		}
		d.add(Missing, l.line, nil, details...)
		for _, child := range l.children.lines {
			if child.Repeat.required() {
				d.missing = append(d.missing, missing{line: child})
			}
		}
	}
}

// closest returns the span with the name of the line that is closest to its expectations. It
// returns nil if more than one condition is not met.
func (d *differ) closest(l *line, spans []*vertex) *vertex {
	const far = 4
	var best *vertex
	least := far
	for _, v := range spans {
		if d.lineOf[v] != nil {
			continue
		}
		if d.budget--; d.budget <= 0 {
			break
		}
		if distance := d.distance(l, v); distance < least {
			best, least = v, distance
		}
		if least == 0 {
			break
		}
	}
	return best
}

// addExtra adds a remaining span and its descendants.
func (d *differ) addExtra(top *vertex) {
	breadthFirst([]*vertex{top}, func(v *vertex) bool {
		if d.lineOf[v] != nil {
			return false
		}
		d.add(Extra, nil, v, "found "+v.place())
		return true
	})
}

// breadthFirst calls visit for vertices, and for their children if visit returns true.
func breadthFirst(tops []*vertex, visit func(*vertex) bool) {
	queue := append([]*vertex(nil), tops...)
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		if visit(v) {
			queue = append(queue, v.children...)
		}
	}
}
