package export

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Hidden stands in an export where something was taken out.
const Hidden = "[hidden]"

// shapes are what secrets look like wherever they stand. What is kept of a match is the first group.
var shapes = []*regexp.Regexp{
	// Private keys in PEM, as they are, or as a string of JSON.
	regexp.MustCompile(`(?s)()-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`),
	// The same in base64, by how it begins: "-----BEGIN " and then EC, RSA, OPENSSH, ENCRYPTED or PRIVATE.
	regexp.MustCompile(`()LS0tLS1CRUdJTi(?:BFQy|BSU0|BPUE|BFTk|BQUk)[A-Za-z0-9+/=\r\n ]+`),
	// JSON web tokens: of service accounts, for one.
	regexp.MustCompile(`()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`),
	// The end of a key whose beginning was cut off with that of the file.
	regexp.MustCompile(`()\A[A-Za-z0-9+/=\r\n]*-----END [A-Z0-9 ]*PRIVATE KEY-----`),
	// Arguments of commands: kubeadm's, for one.
	regexp.MustCompile(`(?i)(--(?:token|password)[ =]["']?)[^\s"']+`),
	// Headers.
	regexp.MustCompile(`(?i)(\bauthorization["']?[ \t]*[:=][ \t]*\[?["']?)(?:[a-z]+[ \t]+)?[^\s"'\],]+`),
	regexp.MustCompile(`(?i)(\bbearer[ \t]+)[a-z0-9._~+/=-]{8,}`),
	// Addresses with a name and a password.
	regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/@:"']*:[^\s/@"']+@`),
	// Settings that say what they are.
	regexp.MustCompile(`(?i)(\b(?:password|passwd|token|api[_-]?key|access[_-]?key|client[_-]?secret)["']?[ \t]*[:=][ \t]*["']?)[^\s"',;&{}\[\]]{6,}`),
}

// Hider takes secrets out of texts: those that it was told of, and what looks like one. The zero Hider knows only the looks.
type Hider struct{ known *strings.Replacer }

// NewHider returns a Hider of values, as they are and in base64, with and without padding. Short ones, and those of a single word of
// everyday's, would take more out of a text than they are worth: values of less than 8 bytes are passed over.
func NewHider(values []string) *Hider {
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
	// The replacer takes the first that fits: longer ones go first.
	slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, value := range slices.Compact(known) {
		pairs = append(pairs, value, Hidden)
	}
	return &Hider{strings.NewReplacer(pairs...)}
}

// Hide returns text without secrets. A nil Hider hides what looks like one.
func (h *Hider) Hide(text []byte) []byte {
	if h != nil && h.known != nil {
		text = []byte(h.known.Replace(string(text)))
	}
	for _, shape := range shapes {
		if shape.Match(text) {
			text = shape.ReplaceAll(text, []byte("${1}"+Hidden))
		}
	}
	return bytes.ToValidUTF8(text, []byte("�"))
}

var tellingName = regexp.MustCompile(`(?i)passw|secret|token|credential|api_?key|access_?key|private_?key|headers|auth`)

// Telling tells whether the name of a variable says that its value is secret: a password, a token, or headers with one.
func Telling(name string) bool { return tellingName.MatchString(name) }
