package spantree

import (
	"strings"
	"time"
)

// The characters that end a bare word, in the brackets and in the parentheses of an event.
const (
	topStops   = " ]"
	innerStops = " ()]"
)

// conditions reads the conditions in brackets, and the closing bracket.
func (p *lineParser) conditions(e *Expected) error {
	seen := map[string]bool{}
	return p.list("]", func() error {
		start := p.pos
		what, err := p.condition(e)
		if err != nil {
			return err
		}
		if seen[what] {
			return p.errorAt(start, "duplicate condition on %s", what)
		}
		seen[what] = true
		return nil
	})
}

// list reads items up to and including the closing sign.
func (p *lineParser) list(closing string, item func() error) error {
	for {
		p.skipBlanks()
		if p.take(closing) {
			return nil
		}
		if p.done() {
			return p.errorf("missing %s at the end of the conditions", closing)
		}
		if err := item(); err != nil {
			return err
		}
		if !p.done() && p.text[p.pos] != ' ' && p.text[p.pos] != closing[0] {
			return p.errorf("unexpected %q after a condition, want a space or %s", p.text[p.pos:p.pos+1], closing)
		}
	}
}

// condition reads one condition into the node and returns its subject, for the detection of
// duplicates.
func (p *lineParser) condition(e *Expected) (string, error) {
	k, err := p.key(topStops)
	if err != nil {
		return "", err
	}
	if k.bare && reservedWord(k.name) {
		return p.reserved(e, k)
	}
	c, err := p.attribute(k, topStops)
	e.Conditions = append(e.Conditions, c)
	return "attribute " + k.name, err
}

// key is the part of a condition before the value.
type key struct {
	start  int // the position of the condition
	absent bool
	bare   bool
	name   string
	// sign is the operator in the text format. It is empty without an operator.
	sign string
}

func (p *lineParser) key(stops string) (key, error) {
	k := key{start: p.pos}
	k.absent = p.take("!")
	k.bare = !strings.HasPrefix(p.rest(), `"`)
	var err error
	if k.name, err = p.word("key", stops+"("+operatorRunes); err != nil {
		return k, err
	}
	signs := len(p.rest()) - len(strings.TrimLeft(p.rest(), operatorRunes))
	k.sign = p.rest()[:signs]
	p.pos += signs
	return k, nil
}

// operator returns the operator of a sign if the subject supports it.
func (p *lineParser) operator(k key, allowed ...Operator) (Operator, error) {
	if k.sign == "" && k.absent {
		return Absent, nil
	}
	if k.sign == "" {
		return Present, nil
	}
	var signs []string
	for _, operator := range allowed {
		if k.sign == operatorSigns[operator] && !k.absent {
			return operator, nil
		}
		signs = append(signs, operatorSigns[operator])
	}
	if k.absent {
		return 0, p.errorAt(k.start, "!%s has no value; write only !%[1]s", quoteWord(k.name))
	}
	return 0, p.errorAt(k.start, "unknown matcher %s; %s supports %s; quote a value that starts with one of %s",
		k.sign, quoteWord(k.name), strings.Join(signs, " "), operatorRunes)
}

// attribute reads the rest of a condition on an attribute.
func (p *lineParser) attribute(k key, stops string) (Condition, error) {
	c := Condition{Key: k.name}
	var err error
	if c.Operator, err = p.operator(k, Equals, Matches); err != nil {
		return c, err
	}
	err = p.textValue(k, &c, stops)
	return c, err
}

// textValue reads the value of an attribute or the name of an event.
func (p *lineParser) textValue(k key, c *Condition, stops string) error {
	if c.Operator == Present || (c.Operator == Absent && k.sign == "") {
		return nil
	}
	var err error
	if c.Value, err = p.word("value", stops); err != nil {
		return err
	}
	if c.Operator == Matches {
		if _, err := compilePattern(c.Value); err != nil {
			return p.errorAt(k.start, "compiling the regular expression of %s: %v", k.name, err)
		}
	}
	return nil
}

// reserved reads the rest of a condition whose key is a keyword.
func (p *lineParser) reserved(e *Expected, k key) (string, error) {
	switch {
	case isKind(k.name):
		if k.sign != "" || k.absent {
			return "", p.errorAt(k.start, "a kind has no value; quote an attribute of that name")
		}
		e.Kind = k.name
		return "kind", nil
	case k.name == "service" || k.name == "status":
		if k.sign != "=" || k.absent {
			return "", p.errorAt(k.start, "%s needs a value, as in %s=VALUE; quote an attribute of that name", k.name, k.name)
		}
		return k.name, p.serviceOrStatus(e, k)
	}
	c, err := p.special(k)
	e.Conditions = append(e.Conditions, c)
	return strings.TrimSuffix(k.name+" "+k.sign+c.Value, " "), err
}

func (p *lineParser) serviceOrStatus(e *Expected, k key) error {
	value, err := p.word("value", topStops)
	switch {
	case err != nil:
		return err
	case value == "":
		return p.errorAt(k.start, "an empty %s", k.name)
	case k.name == "service":
		e.Service = value
		return nil
	}
	switch value {
	case StatusUnset, StatusOK, StatusError, StatusAny:
		e.Status = value
		return nil
	}
	return p.errorAt(k.start, "unknown status %q; use Unset, Ok, Error or any", value)
}

// special reads the rest of a condition on a duration, a link or an event.
func (p *lineParser) special(k key) (c Condition, err error) {
	for subject, word := range subjectWords {
		if word == k.name {
			c.Subject = subject
		}
	}
	switch c.Subject {
	case SubjectLink:
		if c.Operator, err = p.operator(k); err != nil {
			err = p.errorAt(k.start, "link and !link have no value; quote an attribute of that name")
		}
	case SubjectEvent:
		err = p.event(k, &c)
	default:
		if c.Operator, err = p.operator(k, Equals, Below, AtMost, Above, AtLeast); err == nil {
			err = p.duration(k, &c)
		}
	}
	return c, err
}

func (p *lineParser) duration(k key, c *Condition) (err error) {
	if k.sign == "" {
		return p.errorAt(k.start, "%s needs a value, as in %s>=VALUE; quote an attribute of that name", k.name, k.name)
	}
	if c.Value, err = p.word("value", topStops); err != nil {
		return err
	}
	d, err := time.ParseDuration(c.Value)
	if err != nil {
		return p.errorAt(k.start, "invalid duration %q; write it as 10ms, 1.5s or 2m30s", c.Value)
	}
	c.Value = d.String()
	return nil
}

// event reads the name of an event, and the conditions on its attributes.
func (p *lineParser) event(k key, c *Condition) (err error) {
	not := k.absent && k.sign == "="
	if not {
		k.absent = false
	}
	if c.Operator, err = p.operator(k, Equals, Matches); err != nil {
		return err
	}
	if not {
		c.Operator = Absent
	}
	if err := p.textValue(k, c, topStops+"("); err != nil {
		return err
	}
	if not && c.Value == "" {
		return p.errorAt(k.start, "missing name of the event; write !event for no event at all")
	}
	if !p.take("(") {
		return nil
	}
	if k.sign == "" {
		return p.errorAt(k.start, "attributes of an event without a name; add a name")
	}
	return p.list(")", func() error {
		inner, err := p.key(innerStops)
		if err != nil {
			return err
		}
		a, err := p.attribute(inner, innerStops)
		c.Attributes = append(c.Attributes, a)
		return err
	})
}
