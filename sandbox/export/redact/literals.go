package redact

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// nested is the depth to which strings in strings are read, for example JSON in a field of a log.
const nested = 4

// startsSetting reports whether a string is a setting itself.
func startsSetting(text []byte) bool {
	const longest = 80
	text = bytes.TrimLeft(text[:min(len(text), longest)], " \t")
	start, end := nextName(text, 0)
	return start == 0 && end > 0 && assigned.Match(text[end:])
}

// hideLiterals hides secrets in quoted strings with escapes, in the form without escapes.
func hideLiterals(text []byte, hide func([]byte) []byte) []byte {
	if bytes.IndexByte(text, '\\') < 0 && !bytes.Contains(text, []byte("''")) && !bytes.ContainsAny(text, ":=") {
		return text
	}
	const most = 32 // Of unmatched quotes in a line. Each takes time for the rest of the line.
	e := edits{text: text}
	unmatched := 0
	for i := 0; i < len(text); {
		n := bytes.IndexAny(text[i:], "\"'\n")
		if n < 0 {
			break
		}
		start := i + n
		if text[start] == '\n' {
			unmatched = 0
		}
		end := 0
		if text[start] != '\n' && unmatched < most {
			end = literalEnd(text, start)
		}
		if end == 0 {
			i = start + 1
			unmatched++
			continue
		}
		if changed := inLiteral(text[start:end], hide); changed != nil {
			e.replace(start, end, changed)
		}
		i = end
	}
	return e.result()
}

// literalEnd returns the end of the string in quotes that starts at text[start], or 0 if it has none
// in its line.
func literalEnd(text []byte, start int) int {
	quote := text[start]
	for i := start + 1; i < len(text) && text[i] != '\n'; i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] == quote && quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return 0
}

// inLiteral returns a quoted string without its secrets, or nil if there is nothing to change.
func inLiteral(literal []byte, hide func([]byte) []byte) []byte {
	inner := literal[1 : len(literal)-1]
	quote := literal[0]
	escaped := quote == '"' && bytes.IndexByte(inner, '\\') >= 0 || quote == '\'' && bytes.Contains(inner, []byte("''"))
	if !escaped && !startsSetting(inner) {
		return nil
	}
	var content string
	switch {
	case quote == '\'':
		content = strings.ReplaceAll(string(inner), "''", "'")
	case json.Unmarshal(literal, &content) == nil:
	default:
		var err error
		if content, err = strconv.Unquote(string(literal)); err != nil {
			return nil
		}
	}
	hidden := string(hide([]byte(content)))
	switch {
	case hidden == content:
		return nil
	case quote == '\'':
		return []byte("'" + strings.ReplaceAll(hidden, "'", "''") + "'")
	}
	return []byte(`"` + inJSON(hidden, false) + `"`)
}
