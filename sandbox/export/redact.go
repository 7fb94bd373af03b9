package export

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Hidden replaces a secret in an export.
const Hidden = "[hidden]"

// shapes match secrets by their form. Hide keeps the first group of a match.
var shapes = []*regexp.Regexp{
	// Private keys in PEM, in plain text or as a JSON string.
	regexp.MustCompile(`(?s)()-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`),
	// The same in base64, identified by the prefix: "-----BEGIN " and then EC, RSA, OPENSSH,
	// ENCRYPTED or PRIVATE.
	regexp.MustCompile(`()LS0tLS1CRUdJTi(?:BFQy|BSU0|BPUE|BFTk|BQUk)[A-Za-z0-9+/=\r\n ]+`),
	// JSON web tokens, for example of service accounts.
	regexp.MustCompile(`()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`),
	// The end of a key, if the start of the file was cut off.
	regexp.MustCompile(`()\A[A-Za-z0-9+/=\r\n]*-----END [A-Z0-9 ]*PRIVATE KEY-----`),
	// Arguments of commands, for example of kubeadm.
	regexp.MustCompile(`(?i)(--(?:token|password)[ =]["']?)[^\s"']+`),
	// Headers.
	regexp.MustCompile(`(?i)(\bauthorization["']?[ \t]*[:=][ \t]*\[?["']?)(?:[a-z]+[ \t]+)?[^\s"'\],]+`),
	regexp.MustCompile(`(?i)(\bbearer[ \t]+)[a-z0-9._~+/=-]{8,}`),
	// Addresses with a name and a password.
	regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/@:"']*:[^\s/@"']+@`),
	// Settings with the name of a secret.
	regexp.MustCompile(`(?i)(\b(?:password|passwd|token|api[_-]?key|access[_-]?key|client[_-]?secret)["']?[ \t]*[:=][ \t]*["']?)[^\s"',;&{}\[\]]{6,}`),
}

// Redactor removes known secrets, and text in the form of a secret. The zero Redactor has no known
// secrets.
type Redactor struct{ known *strings.Replacer }

// NewRedactor returns a Redactor of values, in plain text and in base64, with and without padding.
// It ignores values of less than 8 bytes, because they may be common words.
func NewRedactor(values []string) *Redactor {
	const shortest = 8
	var known []string
	for _, value := range values {
		value = strings.TrimSpace(value)
		if len(value) < shortest {
			continue
		}
		encoded := base64.StdEncoding.EncodeToString([]byte(value))
		known = append(known, encoded, strings.TrimRight(encoded, "="), base64.RawURLEncoding.EncodeToString([]byte(value)))
		if utf8.ValidString(value) {
			known = append(known, value)
		}
	}
	// The replacer uses the first match, so longer values must be first.
	slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, value := range slices.Compact(known) {
		pairs = append(pairs, value, Hidden)
	}
	return &Redactor{strings.NewReplacer(pairs...)}
}

// Hide returns text without secrets. A nil Redactor has no known secrets.
func (r *Redactor) Hide(text []byte) []byte {
	if r != nil && r.known != nil {
		text = []byte(r.known.Replace(string(text)))
	}
	for _, shape := range shapes {
		if shape.Match(text) {
			text = shape.ReplaceAll(text, []byte("${1}"+Hidden))
		}
	}
	return bytes.ToValidUTF8(text, []byte("�"))
}

var tellingName = regexp.MustCompile(`(?i)passw|secret|token|credential|api_?key|access_?key|private_?key|headers|auth`)

// Telling reports whether a variable with this name has a secret value: a password, a token, or
// headers with a token.
func Telling(name string) bool { return tellingName.MatchString(name) }
