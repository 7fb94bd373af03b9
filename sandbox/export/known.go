package export

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Known is a secret value that an export must not contain.
type Known struct {
	// Name is the name of the setting with this value. It can be empty.
	Name, Value string
	// Sure is true for values that are certainly secret, for example those of Secrets. Other values,
	// such as those of unknown environment variables, are hidden outside of their object only if they
	// do not look like a name or a word.
	Sure bool
}

// Limits of the length of values.
const (
	shortest = 3       // Shorter values occur everywhere.
	short    = 8       // Shorter values are only hidden as whole words.
	deepest  = 4 << 10 // Longer values are not searched in nested encodings.
)

// common are words that remain readable although a Secret has them as a value.
var common = regexp.MustCompile(`(?i)^(?:admin|administrator|root|user|username|default|localhost|postgres|postgresql|mysql|redis|mongodb|test|example|` +
	`info|debug|warn|error|prod|production|staging|development|kubernetes|operator|controller|manager|cluster|namespace|secret|secrets|token|` +
	`password|http|https|main|master|latest|system|service|opaque|enabled|disabled|active|basic|bearer|node|pods?|certificate)$`)

var mixed = regexp.MustCompile(`[0-9].*[A-Za-z]|[A-Za-z].*[0-9]|[a-z].*[A-Z]|[^A-Za-z0-9./:_-]`)

// wanted reports whether a value is hidden wherever it occurs.
func (k Known) wanted() bool {
	v := k.Value
	switch {
	case len(v) < shortest || harmless.MatchString(v) || plain.MatchString(v) && !k.telling() || common.MatchString(v):
		return false
	case !k.Sure:
		return len(v) >= short && mixed.MatchString(v)
	case len(v) < short:
		return k.telling() || mixed.MatchString(v)
	}
	return true
}

func (k Known) telling() bool {
	return k.Name == "" || Telling(k.Name) || strings.EqualFold(k.Name, "auth")
}

// form is an encoding of a secret value without line breaks.
type form struct {
	text string
	word bool // It is only hidden as a whole word, and not over several lines.
	run  bool // It is a part of a longer text in base64, all of which is hidden.
}

// forms returns the encodings of a value that are searched.
func forms(value string) []form {
	set := map[form]bool{}
	add := func(text string) {
		if len(text) >= short {
			text = joined(text)
		}
		set[form{text: text, word: len(text) < short}] = true
	}
	for _, text := range escaped(value) {
		add(text)
		for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			whole := alphabet.EncodeToString([]byte(text))
			if len(value) >= short-2 {
				addAligned(set, alphabet, text, len(value) <= deepest)
			} else {
				add(strings.TrimRight(whole, "="))
			}
			add(url.QueryEscape(whole))
		}
	}
	for _, text := range []string{hex.EncodeToString([]byte(value)), strings.Trim(fmt.Sprint([]byte(value)), "[]"), strings.ReplaceAll(fmt.Sprint([]byte(value)), " ", ",")} {
		add(strings.Trim(text, "[]"))
		add(strings.ToUpper(text))
	}
	found := make([]form, 0, len(set))
	for f := range set {
		if len(f.text) >= shortest {
			found = append(found, f)
		}
	}
	return found
}

// escaped returns a value as it is, and as strings of JSON, Go, HTML and URLs contain it. Logs
// contain JSON in JSON.
func escaped(value string) []string {
	if value == "" {
		return nil
	}
	quoted := func(s string) string { q := strconv.Quote(s); return q[1 : len(q)-1] }
	all := []string{value, quoted(value), strings.Trim(strconv.QuoteToASCII(value), `"`), inJSON(value, true), inJSON(value, false), html.EscapeString(value)}
	for _, once := range all[1:5] {
		all = append(all, inJSON(once, false), quoted(once))
	}
	for _, u := range []string{url.QueryEscape(value), url.PathEscape(value), url.UserPassword("", value).String()[1:]} {
		all = append(all, strings.TrimSuffix(u, "@"), strings.TrimSuffix(lowerHex.ReplaceAllStringFunc(u, strings.ToLower), "@"))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var lowerHex = regexp.MustCompile(`%[0-9A-F]{2}`)

func inJSON(value string, forHTML bool) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(forHTML)
	_ = encoder.Encode(value) // Strings have no errors.
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(out.String()), `"`), `"`)
}

// addAligned adds the part of text in base64 that does not depend on its neighbours, for the three
// places where it can start in a group of three bytes; nested also in base64 of base64.
func addAligned(set map[form]bool, alphabet *base64.Encoding, text string, nested bool) {
	const fewest = 6
	for before, skip := range []int{0, 2, 3} {
		encoded := alphabet.EncodeToString(append(make([]byte, before), text...))
		part := encoded[skip : (before+len(text))*8/6]
		if len(part) < fewest {
			continue
		}
		set[form{text: part, run: true}] = true
		if nested {
			addAligned(set, base64.StdEncoding, part, false)
		}
	}
}

// lineBreak returns the length of the line break at text[i], with the blanks of the next line. It
// knows line breaks in JSON and in YAML, too.
func lineBreak[T string | []byte](text T, i int) int {
	start := i
	for i < len(text) {
		j := i
		for j < len(text) && text[j] == '\\' {
			j++
		}
		switch {
		case j < len(text) && (text[j] == '\n' || text[j] == '\r'), j < len(text) && j > i && (text[j] == 'n' || text[j] == 'r'):
			i = j + 1
		default:
			return i - start
		}
		for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
			i++
		}
	}
	return i - start
}

// joined returns a text without line breaks.
func joined(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); {
		if n := lineBreak(text, i); n > 0 {
			i += n
			continue
		}
		out.WriteByte(text[i])
		i++
	}
	return out.String()
}

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

// hide replaces all forms in a text.
func (m *matcher) hide(text []byte) []byte {
	if m == nil || len(m.forms) == 0 {
		return text
	}
	var out []byte
	kept := 0 // The text before it is in out.
	for i := 0; i < len(text); i++ {
		if text[i] == Hidden[0] && bytes.HasPrefix(text[i:], []byte(Hidden)) {
			i += len(Hidden) - 1
			continue
		}
		if !m.heads[text[i]] {
			continue
		}
		start, end := m.at(text, i)
		if end == 0 {
			continue
		}
		out = append(append(out, text[kept:max(kept, start)]...), Hidden...)
		kept, i = end, end-1
	}
	if kept == 0 {
		return text
	}
	return append(out, text[kept:]...)
}

// at returns the range to hide because of a form at text[i]; end is 0 if there is none.
func (m *matcher) at(text []byte, i int) (start, end int) {
	second := i + 1
	second += lineBreak(text, second)
	if second >= len(text) {
		return 0, 0
	}
	candidates := m.forms[[2]byte{text[i], text[second]}]
	for _, f := range candidates {
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

// encodedForms are the forms of keys and credentials in base64.
func encodedForms() map[form]bool {
	set := map[form]bool{}
	for _, part := range encodedKeys {
		addAligned(set, base64.StdEncoding, part, false)
		addAligned(set, base64.URLEncoding, part, false)
	}
	return set
}

// keysOnly is the matcher of a Redactor without known secrets.
var keysOnly = sync.OnceValue(func() *matcher { return newMatcher(slices.Collect(maps.Keys(encodedForms()))) })
