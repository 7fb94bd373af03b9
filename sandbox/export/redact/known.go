package redact

import (
	"bytes"
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
)

// Known is a secret value that an export must not contain.
type Known struct {
	// Name is the name of the setting with this value. It can be empty.
	Name, Value string
	// Sure is true for values that are certainly secret, for example the data of Secrets. Other values,
	// such as unknown environment variables, are hidden outside of their object only if they
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

var mixed = regexp.MustCompile(`[0-9].*[A-Za-z]|[A-Za-z].*[0-9]|[^A-Za-z0-9./:_,=-]`)

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

// forms returns the encodings of a value that are searched. newMatcher ignores short ones.
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
				add(strings.TrimRight(alphabet.EncodeToString([]byte(whole)), "="))
			}
			add(url.QueryEscape(whole))
		}
	}
	for _, text := range []string{hex.EncodeToString([]byte(value)), strings.Trim(fmt.Sprint([]byte(value)), "[]"), strings.ReplaceAll(fmt.Sprint([]byte(value)), " ", ",")} {
		add(strings.Trim(text, "[]"))
		add(strings.ToUpper(text))
	}
	return slices.Collect(maps.Keys(set))
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
	component := strings.ReplaceAll(url.QueryEscape(value), "+", "%20") // as encodeURIComponent of JavaScript does
	for _, u := range []string{url.QueryEscape(value), component, unescaped.Replace(component), url.PathEscape(value), url.UserPassword("", value).String()[1:]} {
		all = append(all, strings.TrimSuffix(u, "@"), strings.TrimSuffix(lowerHex.ReplaceAllStringFunc(u, strings.ToLower), "@"))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unescaped keeps the marks that encodeURIComponent keeps.
var unescaped = strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

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
	const most = 16 // Backslashes, which double with each JSON string around them.
	start := i
	for i < len(text) {
		j := i
		for j < len(text) && j-i < most && text[j] == '\\' {
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

// encodedForms are the forms of keys and credentials in base64.
func encodedForms() map[form]bool {
	set := map[form]bool{}
	for _, part := range encodedKeys {
		addAligned(set, base64.StdEncoding, part, false)
		addAligned(set, base64.URLEncoding, part, false)
	}
	return set
}
