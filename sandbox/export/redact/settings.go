package redact

import (
	"bytes"
	"regexp"
	"strings"
)

// nameParts are parts of the names for which Telling can report true. It looks only at names with
// one of them.
var nameParts = newKeywords([]string{
	"pass", "secret", "token", "credential", "key", "pwd", "pw", "jwt", "cookie", "auth", "dsn", "bearer", "session", "headers", "sig", "connection",
	"_pat", "-pat", "psk", "otp", "hmac", "mnemonic", "srf",
})

var (
	// assigned is a separator between a name and its value.
	assigned = regexp.MustCompile(`^\\*["'` + "`" + `]?\]?[ \t]*(?:=>|:=|=|:)[ \t]*`)
	// passed separates a flag from its value in the next argument, also in a list of JSON or YAML.
	passed = regexp.MustCompile(`^(?:\\*["']?[ \t]*,\s*|["']?\s*\n\s*-[ \t]+|[ \t]+)`)
	// named and valued are around the name of an attribute or variable, in JSON, YAML or Go.
	named  = regexp.MustCompile(`(?i)\b(?:name|key)\\*["']?\s*:\s*\\*["']?$`)
	valued = regexp.MustCompile(`^\\*["']?\s*,?\s*\\*["']?(?i:value)\\*["']?\s*:\s*(?:\{\s*\\*"?[a-zA-Z]+Value\\*"?\s*:\s*)?`)
	// prose are words that follow the name of a flag or a secret in a sentence.
	prose = regexp.MustCompile(`^(?:[a-z]+[.,;:!?]?|.*:)$`)
	stops = regexp.MustCompile(`^(?:to|is|or|and|for|flags?|must|with|when|from|in|of|on|as|not|cannot|has|was|if|instead|may|can|the|a|an)$`)
	// objectName is the name of an object, which logs show as secret="namespace/name".
	objectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	blockStart = regexp.MustCompile(`^[|>][+-]?\d?[ \t]*$`)
	sentence   = regexp.MustCompile(`[A-Za-z]+[ \t]+\*?$`)
	keyLine    = regexp.MustCompile(`(?:^|\n)[ \t]*(?:-[ \t]+|export[ \t]+)?["']?$`)
)

func hideSettings(text []byte) []byte {
	e := edits{text: text}
	for from := 0; ; {
		nameStart, nameEnd := nextName(text, from)
		if nameEnd == 0 {
			return e.result()
		}
		from = nameEnd
		name := string(text[nameStart:nameEnd])
		if !Telling(name) {
			continue
		}
		v := value{text: text, name: name, nameStart: nameStart}
		if start, end := v.after(nameEnd); end > start {
			e.replace(start, end, hiddenBytes)
			from = end
		}
	}
}

// nextName returns the range of the next name that Telling has to see, or 0 for the end.
func nextName(text []byte, from int) (start, end int) {
	at := nameParts.next(text, from)
	if at < 0 {
		return 0, 0
	}
	start, end = at, at
	for start > from && nameByte(text[start-1]) {
		start--
	}
	for end < len(text) && nameByte(text[end]) {
		end++
	}
	return start, end
}

func nameByte(b byte) bool { return wordByte(b) || b == '-' || b == '.' }

type place int

const (
	inSetting place = iota
	inFlag
	inPair
)

// after returns the range of the value after a name, which is empty if there is none.
func (v value) after(nameEnd int) (start, end int) {
	const near = 200
	rest := v.text[nameEnd:min(len(v.text), nameEnd+near)]
	before := v.text[max(0, v.nameStart-near):v.nameStart]
	try := func(where place, separator []byte) bool {
		v.where, v.separator, v.at = where, string(separator), nameEnd+len(separator)
		start, end = v.find()
		return end > start
	}
	if separator := valued.Find(rest); separator != nil && named.Match(before) && try(inPair, separator) {
		return start, end
	}
	if separator := passed.Find(rest); separator != nil && v.name[0] == '-' && try(inFlag, separator) {
		return start, end
	}
	if separator := assigned.Find(rest); separator != nil && try(inSetting, separator) {
		return start, end
	}
	return 0, 0
}

type value struct {
	text          []byte
	name          string
	nameStart, at int
	where         place
	separator     string
}

// header reports whether the value is a whole header, with blanks.
func (v value) header() bool {
	switch strings.ToLower(v.name) {
	case "cookie", "set-cookie", "authorization", "proxy-authorization":
		return true
	}
	return false
}

// find returns the range of the value, which is empty if it is not secret.
func (v value) find() (start, end int) {
	i := v.at
	if v.where == inSetting && i < len(v.text) && v.text[i] == '=' { // A comparison.
		return 0, 0
	}
	list := i < len(v.text) && v.text[i] == '[' && !bytes.HasPrefix(v.text[i:], []byte(Hidden))
	if list {
		i++
	}
	hidden := 0 // The length of a part that is already hidden.
	if bytes.HasPrefix(v.text[i:], []byte(Hidden)) {
		hidden = len(Hidden)
	}
	if start, end, quoted := quotedAt(v.text, i); quoted {
		return v.unless(start, end)
	}
	before := v.text[max(0, v.nameStart-200):v.nameStart]
	alone := keyLine.Match(before) && v.where == inSetting && v.separator[0] != '"' // In JSON, the line continues after the value.
	yaml := alone && strings.HasPrefix(strings.TrimLeft(v.separator, "'"), ": ")
	var most string
	switch {
	case list:
		most = "]{"
	case v.header():
		most = "\"'`]\\"
	case yaml:
		most = "" // The whole line.
	case alone:
		most = " \t\"'`"
	default:
		most = " \t\"'`,;&)}]\\<"
	}
	end = len(v.text)
	if n := bytes.IndexAny(v.text[i+hidden:], most+"\n\r"); n >= 0 {
		end = i + hidden + n
	}
	if yaml && blockStart.Match(v.text[i:end]) {
		return v.block(i, end)
	}
	if list && end < len(v.text) && v.text[end] == '{' || list && v.where != inSetting {
		return 0, 0
	}
	end = i + len(bytes.TrimRight(v.text[i:end], " \t\r"))
	if v.public(string(v.text[i:end]), before) {
		return 0, 0
	}
	return v.unless(i, end)
}

// public reports whether the word without quotes after the name is not a value, for example because it
// belongs to a sentence. Before is the text before the name.
func (v value) public(word string, before []byte) bool {
	switch {
	case v.where == inFlag && (strings.HasPrefix(word, "-") || stops.MatchString(word)):
		return true
	case v.where == inSetting && strings.HasSuffix(v.separator, " ") && strings.Contains(v.separator, ":") && sentence.Match(before) && prose.MatchString(word):
		return true
	case strings.HasPrefix(word, "{") || strings.HasPrefix(word, "&") || strings.HasPrefix(word, "<") || strings.HasSuffix(word, "()"):
		return true
	case strings.EqualFold(v.name, "auth") && strings.Contains(word, " "): // A heading.
		return true
	case v.separator == ":" && lineNumber.MatchString(word):
		return true
	}
	return false
}

var lineNumber = regexp.MustCompile(`^\d{1,5}(?:[:\]].*)?$`)

// unless returns a range, or none if its text is certainly no secret.
func (v value) unless(start, end int) (int, int) {
	text := string(v.text[start:end])
	if v.where == inFlag && strings.HasPrefix(text, "-") { // The flag before it is a switch.
		return 0, 0
	}
	if harmless.MatchString(text) || namesObject(v.name) && objectName.MatchString(text) {
		return 0, 0
	}
	return start, end
}

// block returns the range of a YAML block: the following lines that have a larger indentation.
func (v value) block(start, line int) (int, int) {
	indent := v.nameStart - (bytes.LastIndexByte(v.text[:v.nameStart], '\n') + 1)
	end := line
	for end < len(v.text) {
		next := len(v.text)
		if n := bytes.IndexByte(v.text[end+1:], '\n'); n >= 0 {
			next = end + 1 + n
		}
		content := v.text[end+1 : next]
		blank := len(content) - len(bytes.TrimLeft(content, " "))
		if len(bytes.TrimSpace(content)) > 0 && blank <= indent {
			break
		}
		end = next
		if next == len(v.text) {
			break
		}
	}
	return start, end
}

// quotedAt returns the range in the quotes that start at text[i], which may be escaped. A missing
// quote ends with the line.
func quotedAt(text []byte, i int) (start, end int, quoted bool) {
	slashes := 0
	for i+slashes < len(text) && text[i+slashes] == '\\' {
		slashes++
	}
	start = i + slashes + 1
	if start > len(text) || start == len(text) || !strings.ContainsRune("\"'`", rune(text[start-1])) {
		return 0, 0, false
	}
	quote := text[start-1]
	run := 0
	for end = start; end < len(text) && text[end] != '\n'; end++ {
		switch {
		case text[end] == '\\':
			run++
			continue
		case text[end] == quote && (run == slashes || quote == '\'' && slashes == 0 || run < slashes):
			return start, end - run, true
		case text[end] == quote && slashes == 0 && run%2 == 0:
			return start, end, true
		}
		run = 0
	}
	return start, end, true
}
