package spantree

import (
	"cmp"
	"slices"
)

// token is something that a span must have for a line to be worth a look: a child
// of a name, or an attribute of a value.
type token struct {
	key   string // of the attribute; empty for a child
	value string // of the attribute, or the child's name
	child bool
}

// tokens are what a span that stands for the line must have.
func (l *line) tokens() []token {
	var tokens []token
	for _, c := range l.Conditions {
		if c.Subject == SubjectAttribute && c.Operator == Equals {
			tokens = append(tokens, token{key: c.Key, value: c.Value})
		}
	}
	for _, child := range l.Children {
		if child.Repeat.required() {
			tokens = append(tokens, token{value: child.Name, child: true})
		}
	}
	return tokens
}

// bucket has the groups of one name, so that a span is compared with few of them
// where they are many.
type bucket struct {
	groups []int
	// byToken has each group once, under the rarest of its tokens; keys are the
	// attributes among these. Both are nil where the groups are few.
	byToken map[token][]int
	keys    map[string]bool
	// always are groups without a token.
	always []int
}

// fewGroups are compared one after the other.
const fewGroups = 8

// index makes ready for looking up groups by tokens.
func (b *bucket) index(s *siblings) {
	if len(b.groups) <= fewGroups {
		return
	}
	count := map[token]int{}
	tokensOf := make([][]token, len(b.groups))
	for i, g := range b.groups {
		tokensOf[i] = s.lines[s.groups[g].lines[0]].tokens()
		for _, t := range tokensOf[i] {
			count[t]++
		}
	}
	b.byToken, b.keys = map[token][]int{}, map[string]bool{}
	for i, g := range b.groups {
		if len(tokensOf[i]) == 0 {
			b.always = append(b.always, g)
			continue
		}
		rarest := slices.MinFunc(tokensOf[i], func(x, y token) int { return cmp.Compare(count[x], count[y]) })
		b.byToken[rarest] = append(b.byToken[rarest], g)
		if !rarest.child {
			b.keys[rarest.key] = true
		}
	}
}

// candidates gives the groups that a span may stand for, in their order. Others
// have another name or lack something that they must have.
func (s *siblings) candidates(v *vertex) []int {
	b := s.byName[v.Span.Name]
	if b == nil {
		return nil
	}
	if b.byToken == nil {
		return b.groups
	}
	found := slices.Clone(b.always)
	for key := range b.keys {
		if value, there := v.Span.Attributes[key]; there {
			found = append(found, b.byToken[token{key: key, value: FormatValue(value)}]...)
		}
	}
	seen := map[string]bool{}
	for _, child := range v.children {
		if !seen[child.Span.Name] {
			seen[child.Span.Name] = true
			found = append(found, b.byToken[token{value: child.Span.Name, child: true}]...)
		}
	}
	slices.Sort(found)
	return found
}

// named gives the groups of a name.
func (s *siblings) named(name string) []int {
	if b := s.byName[name]; b != nil {
		return b.groups
	}
	return nil
}
