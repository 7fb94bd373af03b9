package export

import (
	"bytes"
	"regexp"
	"strings"
)

const tellingName = `[A-Za-z0-9_.-]*(?i:passw|passphrase|passcode|secret|token|credential|key|pass|pwd|pw|jwt|cookie|auth|dsn|session|headers|sig|connection)[A-Za-z0-9_.-]*`

var (
	// setting is a name and a separator; the value follows.
	setting = regexp.MustCompile(`(` + tellingName + `)(\\*["'` + "`" + `]?\]?[ \t]*(?:=>|:=|=|:)[ \t]*)`)
	// flagged is a flag with its value as the next argument, also in a list of JSON or YAML.
	flagged = regexp.MustCompile(`(?:^|[\s"'\[=,(` + "`" + `])(--?` + tellingName + `)(\\*["']?[ \t]*,\s*|["']?\s*\n\s*-[ \t]+|[ \t]+)`)
	// pair is an attribute or variable whose value is beside its name, in JSON, YAML or Go.
	pair = regexp.MustCompile(`(?i:\b(?:name|key)\\*["']?\s*:\s*)\\*["']?(` + tellingName + `)(\\*["']?\s*(?:,|\\?n)?\s*\\*["']?(?i:value)\\*["']?\s*:\s*(?:\{\s*\\*"?[a-zA-Z]+Value\\*"?\s*:\s*)?)`)
	// prose are words that follow the name of a flag or a secret in a sentence.
	prose = regexp.MustCompile(`^(?:[a-z]+[.,;:!?]?|.*:)$`)
	stops = regexp.MustCompile(`^(?:to|is|or|and|for|flags?|must|with|when|from|in|of|on|as|not|cannot|has|was|if|instead|may|can|the|a|an)$`)
	// objectName is the name of an object, which logs show as secret="namespace/name".
	objectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	sentence   = regexp.MustCompile(`[A-Za-z]+[ \t]+$`)
	keyLine    = regexp.MustCompile(`(?:^|\n)[ \t]*(?:-[ \t]+|export[ \t]+)?["']?$`)
)

// hideSettings hides the values of settings with a telling name.
func hideSettings(text []byte) []byte {
	if bytes.Contains(text, []byte("--")) {
		text = hideAfter(text, flagged, inFlag)
	}
	text = hideAfter(text, pair, inPair)
	return hideAfter(text, setting, inSetting)
}

type place int

const (
	inSetting place = iota
	inFlag
	inPair
)

// hideAfter hides the values that follow the matches of a pattern.
func hideAfter(text []byte, pattern *regexp.Regexp, where place) []byte {
	var out []byte
	kept := 0
	for from := 0; from < len(text); {
		m := pattern.FindSubmatchIndex(text[from:])
		if m == nil {
			break
		}
		name, nameStart, at := string(text[from+m[2]:from+m[3]]), from+m[2], from+m[5]
		from = at
		if !Telling(name) {
			from = max(nameStart+len(name), at-1)
			continue
		}
		v := value{text: text, name: name, nameStart: nameStart, at: at, where: where, separator: string(text[nameStart+len(name) : at])}
		start, end := v.find()
		if end <= start {
			continue
		}
		out = append(append(out, text[kept:start]...), Hidden...)
		kept, from = end, end
	}
	if kept == 0 {
		return text
	}
	return append(out, text[kept:]...)
}

// value finds the value of a setting in a text.
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
	line := len(v.text)
	if n := bytes.IndexAny(v.text[i:], "\n\r"); n >= 0 {
		line = i + n
	}
	before := v.text[max(0, v.nameStart-200):v.nameStart]
	alone := keyLine.Match(before) && v.where == inSetting
	yaml := alone && strings.HasPrefix(strings.TrimLeft(v.separator, `"'`), ": ")
	if yaml {
		if block := strings.TrimSpace(string(v.text[i:line])); block != "" && len(block) < 3 && strings.ContainsAny(block[:1], "|>") {
			return v.block(i, line)
		}
	}
	var most string
	switch {
	case list:
		most = "]{\n"
	case v.header():
		most = "\"'`]\\"
	case yaml:
		most = "\n"
	case alone:
		most = " \t\"'`"
	default:
		most = " \t\"'`,;&)}]\\<"
	}
	end = line
	if n := bytes.IndexAny(v.text[i+hidden:line], most); n >= 0 {
		end = i + hidden + n
	}
	if list && end < len(v.text) && v.text[end] == '{' || list && v.where != inSetting {
		return 0, 0
	}
	end = i + len(bytes.TrimRight(v.text[i:end], " \t\r"))
	word := string(v.text[i:end])
	switch {
	case v.where == inFlag && (strings.HasPrefix(word, "-") || stops.MatchString(word)):
		return 0, 0
	case v.where == inSetting && strings.HasSuffix(v.separator, " ") && strings.Contains(v.separator, ":") && sentence.Match(before) && prose.MatchString(word):
		return 0, 0
	case strings.HasPrefix(word, "{") || strings.HasPrefix(word, "&") || strings.HasPrefix(word, "<") || strings.HasSuffix(word, "()"):
		return 0, 0
	case v.separator == ":" && lineNumber.MatchString(word):
		return 0, 0
	}
	return v.unless(i, end)
}

var lineNumber = regexp.MustCompile(`^\d{1,5}(?:[:\]].*)?$`)

// unless returns a range, or none if its text is certainly no secret.
func (v value) unless(start, end int) (int, int) {
	text := string(v.text[start:end])
	if harmless.MatchString(text) || strings.EqualFold(v.name, "secret") && objectName.MatchString(text) {
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
