package spantree

import "strings"

// link reads what a link points to.
func (p *lineParser) link(k key, c *Condition) (err error) {
	if c.Value, err = p.word("a value", topStops); err != nil {
		return err
	}
	label, isLabel := strings.CutPrefix(c.Value, "@")
	switch {
	case isLabel && validLabel(label):
		undefined := *p
		undefined.pos = k.start
		p.labels.use(label, undefined.errorf("no line has the label @%s", label))
		return nil
	case !isLabel && (strings.Contains(c.Value, "$") || validIDs(c.Value)):
		if c.Value == strings.TrimSpace(c.Value) && quoteWord(c.Value) == c.Value {
			return nil
		}
	}
	return p.errorAt(k.start, "a link to %q; want the label of a line as in link=@first, or ids in hexadecimal as in link=TRACE or link=TRACE/SPAN", c.Value)
}

// label reads the name that links of other lines use.
func (p *lineParser) label(e *Expected) error {
	start := p.pos - 1
	end := strings.IndexAny(p.rest(), topStops)
	if end < 0 {
		end = len(p.rest())
	}
	label := p.rest()[:end]
	if !validLabel(label) {
		return p.errorAt(start, "a label is made of letters, digits, points, dashes and underscores; an attribute of that name must be quoted")
	}
	if p.labels.defined[label] {
		return p.errorAt(start, "a second line with the label @%s", label)
	}
	p.labels.defined[label] = true
	p.pos += end
	e.Label = label
	return nil
}

func validLabel(label string) bool {
	return label != "" && strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// validIDs reports whether the text is the id of a trace, or of a trace and a
// span with a slash between.
func validIDs(text string) bool {
	trace, span, both := strings.Cut(text, "/")
	return validID(trace) && (!both || validID(span))
}

func validID(id string) bool { return id != "" && strings.Trim(id, "0123456789abcdef") == "" }

// labels are those that lines have and that links name.
type labels struct {
	defined map[string]bool
	// used has the first use of a label that was not defined by then.
	used []labelUse
}

type labelUse struct {
	label string
	err   error
}

// use notes that a link names a label.
func (l *labels) use(label string, undefined error) {
	if !l.defined[label] {
		l.used = append(l.used, labelUse{label, undefined})
	}
}

// check wants every label that was used to be defined.
func (l *labels) check() error {
	for _, use := range l.used {
		if !l.defined[use.label] {
			return use.err
		}
	}
	return nil
}
