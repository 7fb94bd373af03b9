package spantree

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// line is a line of an expected tree, prepared for matching.
type line struct {
	*Expected
	// service is the service of the line, or of the nearest ancestor that states one.
	service  string
	tests    []test
	children *siblings
	parent   *line
}

// siblings are the children of a line, or the roots.
type siblings struct {
	lines []*line
	open  bool
	// groups are the groups of equal lines: a span of one line could also be assigned to the
	// others.
	groups []group
	// byName has the groups of each name.
	byName map[string]*bucket
	// least and most are the numbers of spans that the lines require and accept. A negative most
	// means no limit.
	least, most int
}

// group is a set of equal siblings.
type group struct {
	lines []int
	// least and most are the sums of the bounds of the lines. A negative most means no limit.
	least, most int
}

// test is a condition, prepared for matching.
type test struct {
	Condition
	// problem describes an invalid condition, which never holds.
	problem    string
	pattern    *regexp.Regexp
	duration   time.Duration
	attributes []test
	// last and matched cache the most recent value and its result, because many spans have the same
	// value.
	last           string
	asked, matched bool
}

// matches evaluates the pattern. A pattern that does not compile matches nothing.
func (t *test) matches(value string) bool {
	if t.pattern == nil {
		return false
	}
	if !t.asked || t.last != value {
		t.asked, t.last, t.matched = true, value, t.pattern.MatchString(value)
	}
	return t.matched
}

// compiler prepares an expected tree for matching.
type compiler struct {
	patterns map[string]*regexp.Regexp
	// classes has a number for each set of lines that are equal, descendants included.
	classes map[string]int
}

func compile(t *Tree) *siblings {
	c := &compiler{patterns: map[string]*regexp.Regexp{}, classes: map[string]int{}}
	roots, _ := c.siblings(nil, t.Roots, t.Open)
	return roots
}

// siblings returns the prepared lines, and their classes with their marks.
func (c *compiler) siblings(parent *line, lines []*Expected, open bool) (*siblings, []string) {
	s := &siblings{open: open}
	if open {
		s.most = -1
	}
	if len(lines) == 0 {
		return s, nil
	}
	s.byName = map[string]*bucket{}
	groupOf := map[int]int{}
	var classes []string
	for i, e := range lines {
		l, class := c.line(parent, e)
		s.lines = append(s.lines, l)
		classes = append(classes, strconv.Itoa(class)+string(e.Repeat))
		g, found := groupOf[class]
		if !found {
			g = len(s.groups)
			groupOf[class] = g
			s.groups = append(s.groups, group{})
			if s.byName[e.Name] == nil {
				s.byName[e.Name] = &bucket{}
			}
			s.byName[e.Name].groups = append(s.byName[e.Name].groups, g)
		}
		s.groups[g].add(i, e.Repeat)
	}
	for _, b := range s.byName {
		b.index(s)
	}
	for _, g := range s.groups {
		s.least += g.least
		if g.most < 0 || s.most < 0 {
			s.most = -1
		} else {
			s.most += g.most
		}
	}
	return s, classes
}

func (g *group) add(index int, repeat Repeat) {
	g.lines = append(g.lines, index)
	least, most := repeat.Bounds()
	g.least += least
	if most < 0 || g.most < 0 {
		g.most = -1
	} else {
		g.most += most
	}
}

func (c *compiler) line(parent *line, e *Expected) (*line, int) {
	l := &line{Expected: e, parent: parent, service: e.Service, tests: make([]test, len(e.Conditions))}
	if e.Service == "" && parent != nil {
		l.service = parent.service
	}
	for i, condition := range e.Conditions {
		l.tests[i] = c.test(condition)
	}
	var below []string
	l.children, below = c.siblings(l, e.Children, e.Open)
	slices.Sort(below)
	// The mark is omitted because the bounds of the group include it.
	once := *e
	once.Repeat = Once
	key := fmt.Sprintf("%s %t %q", &once, e.Open, below)
	class, found := c.classes[key]
	if !found {
		class = len(c.classes)
		c.classes[key] = class
	}
	return l, class
}

func (c *compiler) test(condition Condition) test {
	t := test{Condition: condition}
	var err error
	switch {
	case condition.Subject < 0 || condition.Subject > SubjectEvent:
		err = errors.New("unknown subject")
	case condition.Operator == Matches:
		t.pattern, err = c.pattern(condition.Value)
	case condition.Subject == SubjectDuration:
		t.duration, err = time.ParseDuration(condition.Value)
	}
	if err != nil {
		t.problem = err.Error()
	}
	for _, a := range condition.Attributes {
		t.attributes = append(t.attributes, c.test(a))
	}
	return t
}

// pattern compiles each expression once.
func (c *compiler) pattern(expression string) (*regexp.Regexp, error) {
	if known := c.patterns[expression]; known != nil {
		return known, nil
	}
	compiled, err := compilePattern(expression)
	if err == nil {
		c.patterns[expression] = compiled
	}
	return compiled, err
}

// compilePattern compiles an expression that must match a whole value.
func compilePattern(expression string) (*regexp.Regexp, error) {
	// Compile the expression without the group first: "a)(b" is invalid, but valid inside a group.
	if _, err := regexp.Compile(expression); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?s:` + expression + `)\z`)
}
