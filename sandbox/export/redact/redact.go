package redact

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Hidden replaces a secret in an export.
const Hidden = "[hidden]"

var hiddenBytes = []byte(Hidden)

// shape matches secrets by their form. Hide keeps the groups of a match.
type shape struct {
	pattern *regexp.Regexp
	hint    string // The pattern can only match lines, or texts, with this part.
	to      string
}

// blocks match secrets over several lines.
var blocks = []shape{
	// Keys and messages in PEM and PGP, in plain text or as a JSON string.
	{regexp.MustCompile(`(?s)-----BEGIN (?:[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?|PGP MESSAGE)-----.*?(?:-----END [A-Z0-9 ]*(?:PRIVATE KEY(?: BLOCK)?|PGP MESSAGE)-----|\z)`), "-----BEGIN ", Hidden},
	{regexp.MustCompile(`(?s)---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----.*?(?:---- END SSH2 ENCRYPTED PRIVATE KEY ----|\z)`), "---- BEGIN SSH2", Hidden},
	{regexp.MustCompile(`(?is)(PuTTY-User-Key-File-\d+:[^\n]*\n).*?(?:\nPrivate-MAC: [0-9a-f]+|\z)`), "PuTTY-User-Key-File", "${1}" + Hidden},
	// The end of a key, if the start of the file was cut off.
	{regexp.MustCompile(`\A[A-Za-z0-9+/=\r\n]*-----END (?:[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?|PGP MESSAGE)-----`), "-----END ", Hidden},
}

var bearer = regexp.MustCompile(`(?i)(\b(?:bearer|basic)[ \t]+)(?:[a-z0-9._~+/-]{8,}[0-9._~+/=-][a-z0-9._~+/=-]*|[a-z0-9._~+/-]{24,}=*)`)

// shapes match secrets in a line.
var shapes = []shape{
	// JSON web tokens, for example of service accounts.
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,3}`), "eyJ", Hidden},
	{bearer, "earer", "${1}" + Hidden}, {bearer, "asic", "${1}" + Hidden}, {bearer, "EARER", "${1}" + Hidden}, {bearer, "ASIC", "${1}" + Hidden},
	// Addresses with a name and a password, which may contain slashes and @, or with a token.
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)(?:[^\s/@:"'<>\\]*:(?:[^\s"'0-9/<>\\][^\s"'<>\\]*|\d+[^\s"'0-9/<>\\][^\s"'<>\\]*|\d+)|[^\s/@:"'<>\\]+)@([A-Za-z0-9\[.-])`), "://", "${1}" + Hidden + "@${2}"},
	{regexp.MustCompile(`((?:^|[\s"'=(])[A-Za-z0-9._-]+:)[^\s:@/"'=]{3,}(@(?:tcp|udp|unix)\(|@(?:[A-Za-z0-9-]+\.)*[A-Za-z][A-Za-z0-9-]*(?::\d+|/|\s|["']|$))`), "@", "${1}" + Hidden + "${2}"},
}

// publicUser matches an image or a module with a digest, which look like an address with a password.
var publicUser = regexp.MustCompile(`@(?:sha256|sha512|v\d)`)

// Redactor removes known secrets, and text in the form of a secret. The zero Redactor has no known
// secrets. Its methods can be called at the same time.
type Redactor struct{ known *matcher }

// encodedKeys are the parts of keys and credentials that reveal them in base64.
var encodedKeys = []string{"PRIVATE KEY-----", "PRIVATE KEY BLOCK-----", `{"auths":`, `"auth":"`}

// New returns a Redactor of values, in plain text, in JSON, in base64 of any alignment, in
// hexadecimal, and as a part of addresses; also if line breaks split them. It finds the secrets in
// values, such as the passwords in a dockerconfigjson. Values of less than 8 bytes are only hidden
// as whole words, and common words not at all.
func New(values []Known) *Redactor {
	const depth = 3
	var all []form
	for _, value := range values {
		for _, k := range append([]Known{value}, derived(value, depth)...) {
			k.Value = strings.TrimSpace(k.Value)
			if k.wanted() {
				all = append(all, forms(k.Value)...)
			}
		}
	}
	all = slices.AppendSeq(all, maps.Keys(encodedForms()))
	return &Redactor{newMatcher(all)}
}

// Hide returns text without secrets. A nil Redactor has no known secrets. Its memory is a small
// multiple of the text, which the caller must limit.
func (r *Redactor) Hide(text []byte) []byte {
	known := keysOnly()
	if r != nil && r.known != nil {
		known = r.known
	}
	return hideText(text, known, nested)
}

// hideText hides secrets in a text and, to a depth, in the strings that it contains.
func hideText(text []byte, known *matcher, depth int) []byte {
	text = known.hide(text)
	text = bytes.ToValidUTF8(text, []byte("�"))
	for _, b := range blocks {
		if bytes.Contains(text, []byte(b.hint)) {
			text = b.pattern.ReplaceAll(text, []byte(b.to))
		}
	}
	if depth > 0 {
		text = hideLiterals(text, func(inner []byte) []byte { return hideText(inner, known, depth-1) })
	}
	text = hideSettings(text)
	return hideLines(text)
}

func hideLines(text []byte) []byte {
	e := edits{text: text}
	start := 0
	for line := range bytes.Lines(text) {
		if hidden := hideLine(line); !bytes.Equal(hidden, line) {
			e.replace(start, start+len(line), hidden)
		}
		start += len(line)
	}
	return e.result()
}

// edits are replacements of parts of a text, in their order.
type edits struct {
	text, out []byte
	kept      int // The text before it is in out.
}

func (e *edits) replace(start, end int, by []byte) {
	e.out = append(append(e.out, e.text[e.kept:max(e.kept, start)]...), by...)
	e.kept = end
}

// result returns the text itself if nothing was replaced.
func (e *edits) result() []byte {
	if e.kept == 0 {
		return e.text
	}
	return append(e.out, e.text[e.kept:]...)
}

// hideLine hides secrets by their form until nothing changes, because a hidden part can end another
// match.
func hideLine(line []byte) []byte {
	const most = 4
	for range most {
		before := line
		for _, s := range everyShape {
			if !bytes.Contains(line, []byte(s.hint)) {
				continue
			}
			line = s.hide(line)
		}
		line = hideByRules(line)
		if bytes.Equal(line, before) {
			break
		}
	}
	return line
}

// hide replaces the matches of a shape, but not hidden text, digests and versions.
func (s shape) hide(line []byte) []byte {
	return s.pattern.ReplaceAllFunc(line, func(match []byte) []byte {
		if bytes.Contains(match, []byte(Hidden)) || s.hint == "@" && publicUser.Match(match) {
			return match
		}
		return s.pattern.ReplaceAll(match, []byte(s.to))
	})
}
