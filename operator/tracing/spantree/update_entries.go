package spantree

// entry is a line that stays with its spans, or lines for new spans.
type entry struct {
	line *line
	// spans are the spans of the line, by the spans of the parent.
	spans [][]*vertex
	fresh []fresh
}

// fresh is a recorded line for new spans.
type fresh struct {
	line *Expected
	// counts are the numbers of its spans below each span of the parent.
	counts map[int]int
}

// lines returns the new lines. Their marks allow for spans that only some parents have.
func (e entry) lines(parents int) []*Expected {
	var lines []*Expected
	for _, f := range e.fresh {
		most := 0
		for _, n := range f.counts {
			most = max(most, n)
		}
		f.line.Repeat = repeatOf(len(f.counts) == parents, most > 1 || f.line.Repeat.several())
		lines = append(lines, f.line)
	}
	return lines
}

// entries returns the lines that stay, in their order. Each is followed by new lines for the spans
// that start after its own spans.
func (u *update) entries(lines *siblings, parents [][]*vertex) []entry {
	entries := []entry{{}} // The first is for spans before all lines.
	at := map[*line]int{}
	for _, l := range lines.lines {
		e := entry{line: l, spans: make([][]*vertex, len(parents))}
		found := false
		for i, spans := range parents {
			for _, v := range spans {
				if u.stays(v, l) {
					e.spans[i] = append(e.spans[i], v)
					found = true
				}
			}
		}
		if found || !l.Repeat.required() {
			at[l] = len(entries)
			entries = append(entries, e, entry{})
		}
	}
	for i, spans := range parents {
		last := 0
		for _, v := range spans {
			if l := u.lineOf[v]; at[l] > 0 && u.stays(v, l) {
				last = at[l] + 1
			} else if l != nil || u.gots[v] == Extra {
				u.insert(&entries[last], v, i, len(parents))
			}
		}
	}
	return entries
}

// stays reports whether a span has the position of its line.
func (u *update) stays(v *vertex, l *line) bool { return u.lineOf[v] == l && u.gots[v] != Moved }

// insert adds the line of a new span below one of the spans of the parent.
func (u *update) insert(e *entry, v *vertex, parent, parents int) {
	l := cloneLines([]*Expected{u.recorded[v.Node].Expected})
	above := ""
	if v.parent != nil {
		above = u.unfill.text(v.parent.Span.Service)
	}
	u.leaveOutServices(l, above)
	text := (&Tree{Roots: l}).String()
	for _, known := range e.fresh {
		if (u.options.Fold || parents > 1) && (&Tree{Roots: []*Expected{known.line}}).String() == text {
			known.counts[parent]++
			return
		}
	}
	e.fresh = append(e.fresh, fresh{l[0], map[int]int{parent: 1}})
}
