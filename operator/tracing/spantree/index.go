package spantree

import (
	"cmp"
	"slices"
)

// token is a necessary property of a span for a line: a child with a name, or an attribute with a
// value.
type token struct {
	key   string // The key of the attribute. It is empty for a child.
	value string // The value of the attribute, or the name of the child.
	child bool
}

// tokens returns the necessary properties of a span for the line.
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

// bucket has the groups of one name. An index limits the number of groups that a span is compared
// with.
type bucket struct {
	groups []int
	// byToken has each group once, by its rarest token. keys has the attributes of these tokens.
	// Both are nil if there are few groups.
	byToken map[token][]int
	keys    map[string]bool
	// always has the groups without a token.
	always []int
}

// fewGroups is the number of groups up to which an index is not worthwhile.
const fewGroups = 8

// index builds the index of the groups by tokens.
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

// candidates returns the groups that a span can be assigned to, in their order. The other groups
// have another name or a token that the span does not have.
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

// named returns the groups with a name.
func (s *siblings) named(name string) []int {
	if b := s.byName[name]; b != nil {
		return b.groups
	}
	return nil
}
