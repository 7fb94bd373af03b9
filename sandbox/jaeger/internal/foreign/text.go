package foreign

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxText limits the size of a decompressed file.
const maxText = 256 << 20

// Text returns the content of a file in UTF-8, without a byte order mark: it decompresses gzip and
// converts UTF-16. It returns other data unchanged.
func Text(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		unpacked, err := gunzip(data)
		if err != nil {
			return nil, fmt.Errorf("decompressing gzip: %w", err)
		}
		data = unpacked
	}
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return fromUTF16(data[2:], binary.LittleEndian), nil
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return fromUTF16(data[2:], binary.BigEndian), nil
	}
	return bytes.TrimPrefix(data, []byte("\uFEFF")), nil
}

func gunzip(data []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	unpacked, err := io.ReadAll(io.LimitReader(reader, maxText+1))
	if err == nil && len(unpacked) > maxText {
		err = fmt.Errorf("more than %d MB", maxText>>20)
	}
	return unpacked, err
}

func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// known are the documents of other programs: the fields that identify one, and a noun phrase.
var known = []struct {
	fields []string
	what   string
}{
	{[]string{"apiVersion", "kind"}, "a Kubernetes object"},
	{[]string{"resourceSpans"}, "resourceSpans without a span"},
	{[]string{"resourceMetrics"}, "only metrics"},
	{[]string{"resourceLogs"}, "only logs"},
	{[]string{"runs"}, "measurements of the command bench, which only the commands bench and trace diff read"},
	{[]string{"data"}, "the JSON of Jaeger's UI; get OTLP from /api/v3/traces/ID"},
	{[]string{"traces"}, "a search result; get each trace by its ID"},
	{[]string{"traceEvents"}, "a Chrome trace"},
	{[]string{"error"}, "an error response"},
	{[]string{"message", "code"}, "an error response"},
	{[]string{"spans"}, "spans without resourceSpans"},
	{[]string{"traceId", "spanId"}, "a single span"},
}

// maxFields limits the fields that a description of a document names.
const maxFields = 5

// Describe returns a noun phrase for a file that is not OTLP JSON.
func Describe(data []byte) string {
	data = bytes.TrimSpace(data)
	var fields map[string]Skipped
	var list []map[string]Skipped
	switch {
	case len(data) == 0:
		return "an empty file"
	case json.Unmarshal(data, &fields) == nil && fields != nil:
		return describeObject(fields)
	case json.Unmarshal(data, &list) == nil && len(list) > 0 && has(list[0], "traceId", "id"):
		return "the JSON of Zipkin"
	case json.Valid(data) && data[0] == '[':
		return "a JSON array"
	case json.Valid(data):
		return "a JSON value that is not an object"
	case data[0] == '<':
		return "HTML or XML"
	case !utf8.Valid(data) || bytes.ContainsRune(data, 0):
		return "binary data"
	}
	for first, err := range Documents(data) {
		if err == nil {
			return Describe(first.Data)
		}
		break
	}
	return "text that is not JSON"
}

func describeObject(fields map[string]Skipped) string {
	for _, k := range known {
		if has(fields, k.fields...) {
			return k.what
		}
	}
	if len(fields) == 0 {
		return "an empty JSON object"
	}
	var names []string
	for name := range fields {
		names = append(names, fmt.Sprintf("%q", name))
	}
	slices.Sort(names)
	if more := len(names) - maxFields; more > 0 {
		names = append(names[:maxFields], fmt.Sprintf("%d more", more))
	}
	return "a JSON object with " + strings.Join(names, ", ")
}

func has(fields map[string]Skipped, names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { _, found := fields[name]; return !found })
}

// Fields returns the names of the fields of a JSON object. It does not copy their values.
func Fields(document []byte) (map[string]Skipped, error) {
	var fields map[string]Skipped
	err := json.Unmarshal(document, &fields)
	return fields, err
}

// Skipped is a JSON value that is not decoded.
type Skipped struct{}

// UnmarshalJSON implements [json.Unmarshaler].
func (*Skipped) UnmarshalJSON([]byte) error { return nil }

// values describes the JSON values that start with a character.
var values = map[string]string{"[": "an array", "{": "an object", `"`: "a string", "t": "true or false", "f": "true or false", "n": "null"}

// wrongType matches what the decoder reports for a value of a wrong type.
var wrongType = regexp.MustCompile(`^expects? (.).*, but found (.)$`)

// Cause simplifies an error of the decoder of OTLP JSON: it has names of the decoder's functions, and
// the same excerpt of the document twice.
func Cause(err error) error {
	problem, rest, found := strings.Cut(err.Error(), ", error found in #")
	if !found {
		return err
	}
	_, rest, _ = strings.Cut(rest, "...|")
	excerpt, _, _ := strings.Cut(rest, "|...")
	for { // The names of functions have no spaces.
		name, after, found := strings.Cut(problem, ": ")
		if !found || strings.ContainsAny(name, ` "`) {
			break
		}
		problem = after
	}
	if match := wrongType.FindStringSubmatch(problem); match != nil {
		problem = fmt.Sprintf("want %s, got %s", values[match[1]], cmp.Or(values[match[2]], "a number"))
	}
	return errors.New(problem + " near " + excerpt)
}
