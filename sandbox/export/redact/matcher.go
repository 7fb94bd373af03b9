package redact

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
)

// matcher finds forms in a text. Its memory does not depend on the text.
type matcher struct {
	heads [256]bool
	forms map[[2]byte][]form // By the first two bytes, the longest first.
}

func newMatcher(all []form) *matcher {
	m := &matcher{forms: map[[2]byte][]form{}}
	seen := map[form]bool{}
	for _, f := range all {
		if len(f.text) < shortest || seen[f] {
			continue
		}
		seen[f] = true
		head := [2]byte{f.text[0], f.text[1]}
		m.heads[head[0]] = true
		m.forms[head] = append(m.forms[head], f)
	}
	for _, list := range m.forms {
		slices.SortFunc(list, func(a, b form) int {
			return cmp.Or(cmp.Compare(len(b.text), len(a.text)), strings.Compare(a.text, b.text))
		})
	}
	return m
}

func (m *matcher) hide(text []byte) []byte {
	if m == nil || len(m.forms) == 0 {
		return text
	}
	e := edits{text: text}
	for i := 0; i < len(text); i++ {
		if text[i] == Hidden[0] && bytes.HasPrefix(text[i:], hiddenBytes) {
			i += len(Hidden) - 1
			continue
		}
		if !m.heads[text[i]] {
			continue
		}
		if start, end := m.at(text, i); end > 0 {
			e.replace(start, end, hiddenBytes)
			i = end - 1
		}
	}
	return e.result()
}

// at returns the range to hide because of a form at text[i]; end is 0 if there is none.
func (m *matcher) at(text []byte, i int) (start, end int) {
	second := i + 1
	second += lineBreak(text, second)
	if second >= len(text) {
		return 0, 0
	}
	for _, f := range m.forms[[2]byte{text[i], text[second]}] {
		if end := f.end(text, i); end > 0 {
			if f.run {
				return runAround(text, i, end)
			}
			return i, end
		}
	}
	return 0, 0
}

// end returns the end of the form at text[i], or 0.
func (f form) end(text []byte, i int) int {
	if f.word && (i > 0 && wordByte(text[i-1]) && wordByte(text[i])) {
		return 0
	}
	for k := range len(f.text) {
		if i < len(text) && text[i] == f.text[k] && (text[i] != '\\' || lineBreak(text, i) == 0) {
			i++
			continue
		}
		n := 0
		if k > 0 && !f.word {
			n = lineBreak(text, i)
		}
		switch {
		case n == 0 || i+n >= len(text):
			return 0
		case text[i+n] == f.text[k]:
			i += n + 1
		case f.text[k] == ' ': // YAML folds lines at a blank.
			i += n
		default:
			return 0
		}
	}
	if f.word && i < len(text) && wordByte(text[i-1]) && wordByte(text[i]) {
		return 0
	}
	return i
}

func wordByte(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

func base64Byte(b byte) bool { return wordByte(b) || b == '+' || b == '/' || b == '=' || b == '-' }

// runAround extends a range to the text in base64 around it, also over full lines.
func runAround(text []byte, start, end int) (int, int) {
	const full = 40 // The shortest line that continues on the next.
	left := start
	for left > 0 && base64Byte(text[left-1]) {
		left--
	}
	for line := left; ; {
		for end < len(text) && base64Byte(text[end]) {
			end++
		}
		n := lineBreak(text, end)
		if n == 0 || end-line < full || end+n >= len(text) || !base64Byte(text[end+n]) {
			return left, end
		}
		line, end = end+n, end+n
		next := end
		for next < len(text) && base64Byte(text[next]) {
			next++
		}
		if next < len(text) && lineBreak(text, next) == 0 && text[next] != '"' && text[next] != '\\' {
			return left, end - n // The next line is not in base64.
		}
	}
}

// keysOnly is the matcher of a Redactor without known secrets.
var keysOnly = sync.OnceValue(func() *matcher { return newMatcher(slices.Collect(maps.Keys(encodedForms()))) })
