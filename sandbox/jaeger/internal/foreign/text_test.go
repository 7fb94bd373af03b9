package foreign

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"
)

// zipped compresses a text with gzip.
func zipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inUTF16 encodes a text in UTF-16 with a byte order mark.
func inUTF16(t *testing.T, text string, order binary.ByteOrder) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := binary.Write(&b, order, utf16.Encode([]rune("\uFEFF"+text))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestText(t *testing.T) {
	t.Parallel()
	const want = `{"a":"ä𝄞"}`
	for name, data := range map[string][]byte{
		"UTF-8": []byte(want), "a byte order mark": []byte("\uFEFF" + want), "UTF-16 LE": inUTF16(t, want, binary.LittleEndian), "UTF-16 BE": inUTF16(t, want, binary.BigEndian),
		"gzip": zipped(t, []byte(want)), "gzip with a mark": zipped(t, []byte("\uFEFF"+want)), "gzip of UTF-16": zipped(t, inUTF16(t, want, binary.LittleEndian)),
	} {
		if got, err := Text(data); err != nil || string(got) != want {
			t.Errorf("Text(%s) = %q, %v, want %q", name, got, err, want)
		}
	}
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"cut off":   {zipped(t, []byte(want))[:15], "decompressing gzip: unexpected EOF"},
		"no header": {[]byte("\x1f\x8bx"), "decompressing gzip: unexpected EOF"},
		"a bomb":    {zipped(t, make([]byte, maxText+1)), "decompressing gzip: more than 256 MB"},
	} {
		if got, err := Text(test.data); err == nil || err.Error() != test.want {
			t.Errorf("Text(%s) = %d bytes, %v, want %q", name, len(got), err, test.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"": "an empty file", " \n": "an empty file", "{}": "an empty JSON object", "[]": "a JSON array", "[1]": "a JSON array",
		"7": "a JSON value that is not an object", "null": "a JSON value that is not an object", `"a"`: "a JSON value that is not an object",
		`{"kind":"Head","apiVersion":"v1","spec":{}}`: "a Kubernetes object", `[{"traceId":"a","id":"b"}]`: "the JSON of Zipkin",
		`{"resourceSpans":[]}`: "resourceSpans without a span", `{"resourceMetrics":[]}`: "only metrics",
		`{"resourceLogs":[]} {"resourceLogs":[]}`: "only logs", "{}\n[": "an empty JSON object",
		`{"runs":[]}`: "measurements of the command bench, which only the commands bench and trace diff read",
		`{"data":[]}`: "the JSON of Jaeger's UI; get OTLP from /api/v3/traces/ID", `{"traces":[]}`: "a search result; get each trace by its ID",
		`{"traceEvents":[]}`: "a Chrome trace", `{"code":5,"message":"a"}`: "an error response", `{"error":{}}`: "an error response", `{"spans":[]}`: "spans without resourceSpans",
		`{"traceId":"a","spanId":"b"}`: "a single span", `{"b":1,"a":2}`: `a JSON object with "a", "b"`,
		`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1}`: `a JSON object with "a", "b", "c", "d", "e", 2 more`,
		"<!DOCTYPE html>": "HTML or XML", "a: b": "text that is not JSON", "\x7fELF": "text that is not JSON", "\x0a\x05\x00\x01": "binary data", "\xff": "binary data", "{": "text that is not JSON",
	} {
		if got := Describe([]byte(data)); got != want {
			t.Errorf("Describe(%q) = %q, want %q", data, got, want)
		}
	}
}

func TestCause(t *testing.T) {
	t.Parallel()
	for err, want := range map[string]string{
		"other": "other",
		`ReadUint64: strconv.ParseUint: parsing "x": invalid syntax, error found in #10 byte of ...|"a":"x"}|..., bigger context ...|{"a":"x"}|...`: `parsing "x": invalid syntax near "a":"x"}`,
		`ID.UnmarshalJSONIter: length mismatch, error found in #10 byte of ...|zz|..., bigger context ...|zz|...`:                                   "length mismatch near zz",
		"ReadArray: expect [ or , or ] or n, but found 5, error found in #10 byte of ...|a":                                                         "want an array, got a number near a",
		`ReadObject: expect { or , or } or n, but found ", error found in #10 byte of ...|a`:                                                        "want an object, got a string near a",
		`ReadString: expects " or n, but found {, error found in #10 byte of ...|a`:                                                                 "want a string, got an object near a",
		"ReadBool: expect t or f, but found n, error found in #10 byte of ...|a":                                                                    "want true or false, got null near a",
		"ReadObject: expect : after object field, error found in #10 byte of ...|a":                                                                 "expect : after object field near a",
	} {
		if got := Cause(errors.New(err)).Error(); got != want {
			t.Errorf("Cause(%q) = %q, want %q", err, got, want)
		}
	}
}

// A description has no part of the document except the names of fields.
func FuzzDescribe(f *testing.F) {
	for _, seed := range []string{"", "{", `{"a":1}`, "[{}]", "\x1f\x8b", "\xff\xfea"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := Text(data)
		if err != nil {
			return
		}
		if got := Describe(text); got == "" || strings.Contains(got, "json:") {
			t.Errorf("Describe(%q) = %q", data, got)
		}
	})
}
