package spantree

import (
	"regexp"
	"strings"
)

// conditions reads what is between the brackets, and the closing one.
func (p *lineParser) conditions(e *Expected) error {
	seen := map[string]bool{}
	for {
		p.skipBlanks()
		if p.take("]") {
			return nil
		}
		if p.done() {
			return p.errorf("no ] at the end of the conditions")
		}
		start := p.pos
		key, err := p.condition(e)
		if err != nil {
			return err
		}
		if seen[key] {
			p.pos = start
			return p.errorf("a second condition on %s", key)
		}
		seen[key] = true
		if !p.done() && p.text[p.pos] != ' ' && p.text[p.pos] != ']' {
			return p.errorf("unexpected %q after a condition", p.text[p.pos:p.pos+1])
		}
	}
}

// condition reads one condition into the node and gives what it is about, for
// finding a second one.
func (p *lineParser) condition(e *Expected) (string, error) {
	start := p.pos
	absent := p.take("!")
	bare := !strings.HasPrefix(p.rest(), `"`)
	key, err := p.word(" ]=")
	if err != nil {
		return "", err
	}
	operator, value := Present, ""
	switch {
	case absent:
		operator = Absent
	case p.take("=~"):
		operator = Matches
	case p.take("="):
		operator = Equals
	}
	if operator == Equals || operator == Matches {
		if value, err = p.word(" ]"); err != nil {
			return "", err
		}
	}
	if bare && reservedWord(key) {
		if isKind(key) {
			key, value = "kind", key
			if operator != Present {
				p.pos = start
				return "", p.errorf("a kind stands alone; an attribute of that name must be quoted")
			}
		} else if operator != Equals {
			p.pos = start
			return "", p.errorf("%s needs a value, as in %s=VALUE; an attribute of that name must be quoted", key, key)
		}
		return key, p.reserved(e, start, key, value)
	}
	c := Condition{Key: key, Operator: operator, Value: value}
	if operator == Matches {
		// Compiled alone first: a)(b is wrong, but not inside a group.
		if _, err := regexp.Compile(value); err != nil {
			p.pos = start
			return "", p.errorf("compiling the regular expression of %s: %v", key, err)
		}
		if c.pattern, err = regexp.Compile(`\A(?s:` + value + `)\z`); err != nil {
			p.pos = start
			return "", p.errorf("anchoring the regular expression of %s: %v", key, err)
		}
	}
	e.Conditions = append(e.Conditions, c)
	return "attribute " + key, nil
}

// reserved sets the field that a reserved word stands for.
func (p *lineParser) reserved(e *Expected, start int, key, value string) error {
	switch key {
	case "kind":
		e.Kind = value
		return nil
	case "service":
		if value == "" {
			p.pos = start
			return p.errorf("an empty service")
		}
		e.Service = value
		return nil
	case "status":
		switch value {
		case StatusUnset, StatusOK, StatusError, StatusAny:
			e.Status = value
			return nil
		}
		p.pos = start
		return p.errorf("unknown status %q; there are Unset, Ok, Error and any", value)
	default:
		p.pos = start
		return p.errorf("the word %s is kept for later; an attribute of that name must be quoted", key)
	}
}

// word reads a quoted or bare key or value up to one of the stops.
func (p *lineParser) word(stops string) (string, error) {
	if strings.HasPrefix(p.rest(), `"`) {
		return p.quoted()
	}
	end := strings.IndexAny(p.rest(), stops)
	if end < 0 {
		end = len(p.rest())
	}
	word := p.rest()[:end]
	switch {
	case word == "":
		return "", p.errorf("a key or value is missing; an empty one is written \"\"")
	case strings.Contains(word, `"`):
		return "", p.errorf("a quote inside a word; quote the whole word")
	case !graphic(word):
		return "", p.errorf("control or invalid characters must be quoted")
	}
	p.pos += len(word)
	return word, nil
}
