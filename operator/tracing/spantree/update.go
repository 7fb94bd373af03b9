package spantree

import (
	"errors"
	"fmt"
	"strings"
)

// Update returns the text of an expected tree that a forest matches. It changes as little of the
// given text as possible. The file name only occurs in errors.
//
// Update returns a text that matches unchanged. Otherwise, lines that match their spans keep their
// text and comments. In other lines, Update replaces the conditions that are not met, and keeps the
// others. It removes lines without a span, with the comments directly above them. New and moved
// spans get lines as in [Record]. If the result does not match, or the text has no line yet, Update
// records everything below the comment at the start of the text. For example, the spans of a
// repeated line can have nothing in common any more.
//
// A bound on a duration is a requirement, not a record. Update does not change it, and returns an
// error with its line. It also returns an error for syntax errors, variables without a value, and
// forests that [Record] rejects.
func Update(file, text string, got *Forest, options RecordOptions) (string, error) {
	if err := recordable(got); err != nil {
		return "", err
	}
	head, body := splitHead(strings.TrimPrefix(text, byteOrderMark))
	if body == "" {
		return recordBelow(head, got, options, Budget{})
	}
	tree, l, err := parse(file, text)
	if err != nil {
		return "", err
	}
	filled, err := tree.Fill(options.Variables)
	if err != nil {
		return "", fmt.Errorf("filling in %s: %w", file, err)
	}
	result := Match(filled, got)
	if result.OK() {
		return text, nil
	}
	u := &update{layout: l, comparison: result.compared(), written: map[int]*Expected{}, recorder: newRecorder(got, options)}
	u.build(got)
	walkLines(tree.Roots, func(e *Expected) { u.written[e.Line] = e })
	u.writeHead()
	if number := l.budget; number > 0 {
		u.write(number, 0, u.source(number))
	}
	for _, e := range filled.Budget.Check(got) {
		u.problems = append(u.problems, fmt.Errorf("line %d: %s; a budget is changed by hand", l.budget, e))
	}
	u.siblings(0, u.comparison.lines, [][]*vertex{u.roots}, 0)
	if err := errors.Join(u.problems...); err != nil {
		return "", fmt.Errorf("updating %s: %w", file, err)
	}
	updated := u.text(strings.Contains(text, "\r\n"))
	if matches(file, updated, got, options) {
		return updated, nil
	}
	return recordBelow(head, got, options, tree.Budget)
}

func matches(file, text string, got *Forest, options RecordOptions) bool {
	tree, err := Parse(file, text)
	if err != nil {
		return false
	}
	filled, err := tree.Fill(options.Variables)
	return err == nil && Match(filled, got).OK()
}

// splitHead splits a text after the comment at its start.
func splitHead(text string) (head, body string) {
	at := 0
	for line := range strings.Lines(text) {
		l := lineParser{text: strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")}
		if !l.empty() {
			break
		}
		at += len(line)
	}
	return text[:at], text[at:]
}

func recordBelow(head string, got *Forest, options RecordOptions, budget Budget) (string, error) {
	tree, err := Record(got, options)
	if err != nil {
		return "", err
	}
	tree.Budget = budget
	text, end := tree.String(), "\n"
	if strings.Contains(head, "\r\n") {
		text, end = strings.ReplaceAll(text, "\n", "\r\n"), "\r\n"
	}
	switch {
	case strings.TrimSpace(head) == "":
		return text, nil
	case !strings.HasSuffix(head, "\n"):
		head += end
	}
	return head + text, nil
}

// update writes the new text, line by line.
type update struct {
	*layout
	*comparison
	*recorder
	// written has the lines of the text, with variables.
	written map[int]*Expected
	// head is the number of lines at the start of the text that belong to no other line: comments
	// above an empty line.
	head     int
	out      []string
	problems []error
}

func (u *update) text(crlf bool) string {
	end := "\n"
	if crlf {
		end = "\r\n"
	}
	text := strings.Join(append(u.out, u.trailing()...), end)
	return strings.TrimRight(text, "\r\n") + end
}

func (u *update) writeHead() {
	for i, text := range u.layout.lines {
		if !u.isEmpty(i) {
			break
		}
		if strings.TrimSpace(text) == "" {
			u.head = i + 1
		}
	}
	u.out = append(u.out, u.layout.lines[:u.head]...)
}

// above returns the comments and empty lines directly above a line, which move with the line.
func (u *update) above(number int) []string {
	first := number - 1 // The index of the line itself.
	for first > u.head && u.isEmpty(first-1) {
		first--
	}
	return u.layout.lines[first : number-1]
}

func (u *update) isEmpty(index int) bool {
	return (&lineParser{text: u.layout.lines[index]}).empty()
}

// trailing returns the comments below the last line.
func (u *update) trailing() []string {
	last := len(u.layout.lines)
	for last > 0 && u.isEmpty(last-1) {
		last--
	}
	return u.layout.lines[last:]
}

// write adds a line with the comments above it. The number of a new line is 0.
func (u *update) write(number, depth int, text string) {
	indent := strings.Repeat(indentation, depth)
	if number > 0 {
		for _, comment := range u.above(number) {
			if trimmed := strings.TrimSpace(comment); trimmed != "" {
				comment = indent + trimmed
			}
			u.out = append(u.out, comment)
		}
	}
	u.out = append(u.out, indent+text)
}

// source returns the text of a line, without its indentation.
func (u *update) source(number int) string { return strings.TrimSpace(u.layout.lines[number-1]) }

// siblings writes the children of a line. A repeated line has several spans with children.
func (u *update) siblings(parent int, lines *siblings, instances [][]*vertex, depth int) {
	for _, e := range u.entries(lines, instances) {
		if e.line == nil {
			for _, l := range e.lines(len(instances)) {
				u.record(l, depth)
			}
			continue
		}
		u.line(e, depth)
	}
	if number := u.open[parent]; number > 0 {
		u.write(number, depth, u.source(number))
	}
}

// record writes a recorded line and its children.
func (u *update) record(l *Expected, depth int) {
	u.write(0, depth, l.String())
	for _, child := range l.Children {
		u.record(child, depth+1)
	}
}

// line writes a line that stays, with the mark and the conditions that match its spans.
func (u *update) line(e entry, depth int) {
	l := e.line
	var all []*vertex
	least, most := len(e.spans), 0
	for _, spans := range e.spans {
		all = append(all, spans...)
		least, most = min(least, len(spans)), max(most, len(spans))
	}
	written := u.written[l.Line]
	changed := u.change(l, written, all)
	switch low, high := l.Repeat.Bounds(); {
	case l.Repeat.bounded() && (least < low || high >= 0 && most > high):
		u.problems = append(u.problems, fmt.Errorf("line %d: %s occurs %d to %d times, want %s; edit the bounds by hand", l.Line, quoteName(l.Name), least, most, l.Repeat))
	case len(all) > 0 && !l.Repeat.bounded():
		changed.Repeat = repeatOf(l.Repeat.required() && least > 0, high < 0 || most > 1)
	}
	text := u.source(l.Line)
	if changed.String() != written.String() {
		text = changed.String() + u.comments[l.Line]
	}
	u.write(l.Line, depth, text)
	if len(all) == 0 {
		u.keep(written, depth+1)
		return
	}
	var below [][]*vertex
	for _, v := range all {
		below = append(below, v.children)
	}
	u.siblings(l.Line, l.children, below, depth+1)
}

// keep writes the children of an optional line without a span unchanged.
func (u *update) keep(e *Expected, depth int) {
	for _, child := range e.Children {
		u.write(child.Line, depth, u.source(child.Line))
		u.keep(child, depth+1)
	}
	if number := u.open[e.Line]; number > 0 {
		u.write(number, depth, u.source(number))
	}
}
