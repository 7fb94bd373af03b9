package tracetree

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
)

// shopFile has the trace jaegertest.ShopID.
const shopFile = "../testdata/shop.otlp.json"

func shop(t *testing.T) Trace {
	t.Helper()
	traces, err := ReadOTLP(shopFile, jaegertest.ReadFile(t, shopFile))
	if err != nil || len(traces) != 1 {
		t.Fatalf("%d traces, %v", len(traces), err)
	}
	return traces[0]
}

// asJSON normalizes OTLP JSON with the collector's own code.
func asJSON(t *testing.T, traces ptrace.Traces) string {
	t.Helper()
	data, err := new(ptrace.JSONMarshaler).MarshalTraces(traces)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A file with all OTLP fields is unchanged after reading and writing it.
func TestOTLPRoundTrip(t *testing.T) {
	file := jaegertest.ReadFile(t, shopFile)
	original, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(file)
	if err != nil {
		t.Fatal(err)
	}
	written, err := shop(t).JSON()
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(written)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asJSON(t, original), asJSON(t, decoded)); diff != "" {
		t.Errorf("(-file +written):\n%s", diff)
	}
	for _, want := range []string{`"traceState":"a=b,c=d"`, `"traceState":"x=y"`, `"droppedLinksCount":2`, `"bytesValue":"AAEC/w=="`, `"kvlistValue"`,
		`"schemaUrl":"https://opentelemetry.io/schemas/1.26.0"`, `"flags":257`, `"startTimeUnixNano":"1795389600000000000"`} {
		if !strings.Contains(string(written), want) {
			t.Errorf("%s is lost: %s", want, written)
		}
	}
	again, err := ReadOTLP("written", written)
	if err != nil || len(again) != 1 {
		t.Fatalf("%d traces, %v", len(again), err)
	}
	if diff := cmp.Diff(shop(t).Spans(), again[0].Spans()); diff != "" {
		t.Errorf("spans (-file +written):\n%s", diff)
	}
}

// ReadOTLP accepts several forms of files.
func TestReadOTLPForms(t *testing.T) {
	line, err := shop(t).JSON()
	if err != nil {
		t.Fatal(err)
	}
	other, err := traceOf(jaegertest.Span(1, 0, "a"), jaegertest.Span(2, 1, "b"), jaegertest.Span(2, 1, "b"), jaegertest.Span(2, 1, "c")).JSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"lines":           string(line) + "\n" + string(other) + "\n",
		"Windows lines":   string(line) + "\r\n\r\n" + string(other) + "\r\n",
		"nothing between": string(line) + string(other),
		"Jaeger's answer": `{"result":` + string(line) + `}` + "\n" + `{"result":` + string(other) + `}`,
		"other signals":   `{"resourceLogs":[]}` + "\n" + string(line) + "\n" + `{"resourceMetrics":[{"resource":{}}]}` + "\n" + string(other) + "\n" + `{"result":{"resource_profiles":[]}}`,
		"a mark":          "\ufeff" + string(line) + string(other),
		"twice":           string(line) + string(other) + string(line) + string(other),
	} {
		traces, err := ReadOTLP(name, []byte(data))
		if err != nil || len(traces) != 2 || traces[0].ID != jaegertest.ShopID || traces[0].Len() != 6 || traces[1].ID != jaegertest.TraceID || traces[1].Len() != 3 {
			t.Errorf("%s: %d traces, %v", name, len(traces), err)
		}
	}
}

// Tempo names fields as OTLP did before version 1, and encodes ids in base64.
func TestReadTempo(t *testing.T) {
	t.Parallel()
	const span = `{"traceId":"ASNFZ4mrze8AAAAAAAAAqg==","spanId":"AAAAAAAAAAE=","parentSpanId":"AAAAAAAAAAI=","name":"a","kind":"SPAN_KIND_SERVER",` +
		`"startTimeUnixNano":"1795389600000000001","endTimeUnixNano":"1795389600000000002","status":{"code":"STATUS_CODE_ERROR"},"attributes":[{"key":"n","value":{"intValue":"9007199254740993"}}]}`
	for name, data := range map[string]string{
		"v1":     `{"batches":[{"resource":{},"instrumentationLibrarySpans":[{"instrumentationLibrary":{"name":"x"},"spans":[` + span + `]}]}]}`,
		"v2":     `{"trace":{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"x"},"spans":[` + span + `]}]}]}}`,
		"base64": `{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"x"},"spans":[` + span + `]}]}]}`,
	} {
		traces, err := ReadOTLP(name, []byte(data))
		if err != nil || len(traces) != 1 || traces[0].ID != "0123456789abcdef00000000000000aa" {
			t.Errorf("%s: %v, %v, want the trace", name, traces, err)
			continue
		}
		s := traces[0].Spans()[0]
		if s.SpanID != "0000000000000001" || s.ParentSpanID != "0000000000000002" || s.Kind != "SERVER" || s.Code() != "Error" || s.Duration() != 1 || s.Attributes["n"] != int64(9007199254740993) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestReadOTLPErrors(t *testing.T) {
	good, err := traceOf(jaegertest.Span(1, 0, "a")).JSON()
	if err != nil {
		t.Fatal(err)
	}
	span := func(ids string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a",` + ids + `}]}]}]}`
	}
	const ids = `"traceId":"0123456789abcdef00000000000000aa"`
	tests := map[string]struct {
		data   string
		line   int
		offset int64
		text   string
	}{
		"empty":                 {"", 1, 0, "no spans: want an object with resourceSpans, got an empty file"},
		"blank":                 {" \n\t\n", 1, 0, "no spans"},
		"no JSON":               {"span: 1", 1, 0, "want an object with resourceSpans, got text that is not JSON"},
		"a page":                {"\n<html>", 1, 0, "got HTML or XML"},
		"cut off, compressed":   {"\x1f\x8b", 1, 0, "decompressing gzip"},
		"cut off":               {"{\n\"resourceSpans\":[\n", 3, 20, "may be truncated"},
		"a comma too many":      {"{\n\"resourceSpans\":[],\n}", 3, 22, "invalid JSON"},
		"the second is broken":  {string(good) + "\n{]", 2, int64(len(good)) + 2, "invalid JSON"},
		"the second has no id":  {string(good) + "\n" + span(ids), 2, int64(len(good)) + 1, `span "a" of trace 0123456789abcdef00000000000000aa has no id`},
		"no trace id":           {span(`"spanId":"0000000000000001"`), 1, 0, `span "a" has no trace id`},
		"a trace id of zeros":   {span(`"traceId":"00000000000000000000000000000000","spanId":"0000000000000001"`), 1, 0, "no trace id"},
		"a short id in base64":  {span(`"traceId":"ASNFZ4mrze8AAAAAAAA=","spanId":"0000000000000001"`), 1, 0, "decoding OTLP JSON"},
		"a short id":            {span(`"traceId":"ab","spanId":"01"`), 1, 0, "decoding OTLP JSON"},
		"a time that is none":   {span(ids + `,"spanId":"0000000000000001","startTimeUnixNano":"yesterday"`), 1, 0, "decoding OTLP JSON"},
		"a list":                {"\n\n[1]", 3, 2, "want an object with resourceSpans, got a JSON"},
		"a number":              {"7", 1, 0, "want an object with resourceSpans"},
		"null":                  {"null", 1, 0, "want an object with resourceSpans"},
		"logs":                  {`{"resourceLogs":[]}`, 1, 0, "want an object with resourceSpans"},
		"Jaeger's own JSON":     {`{"data":[{"traceID":"a"}]}`, 1, 0, "/api/v3/traces/ID"},
		"no resource":           {`{"resourceSpans":[]}`, 1, 0, "no spans"},
		"spans of another type": {`{"resourceSpans":{"a":1}}`, 1, 0, ""},
		"deep":                  {strings.Repeat(`{"result":`, 20_000), 1, 0, "invalid JSON"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			traces, err := ReadOTLP("dir/file.json", []byte(test.data))
			if err == nil || traces != nil {
				t.Fatalf("%d traces, %v; want an error", len(traces), err)
			}
			position := fmt.Sprintf("dir/file.json:%d: at byte ", test.line)
			if name != "deep" {
				position += fmt.Sprintf("%d: ", test.offset)
			}
			if !strings.HasPrefix(err.Error(), position) || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %q, want one line with %q that starts with %q", err, test.text, position)
			}
		})
	}
}

// ReadOTLP returns an error, or traces that are unchanged after writing and reading them. Run this
// with -fuzzminimizetime=20x, because Go by default spends a minute on minimizing each interesting
// input.
func FuzzReadOTLP(f *testing.F) {
	for _, name := range []string{shopFile, "../testdata/shop.api_v3.json"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"resource_spans":[{"scope_spans":[{"spans":[{"traceId":"0123456789abcdef00000000000000aa","spanId":"0000000000000001"}]}]}]}`))
	f.Add([]byte(`{"result":{"resourceSpans":[]}}{"data":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		traces, err := ReadOTLP("fuzz", data)
		if err != nil {
			var line, offset int
			if _, scanning := fmt.Sscanf(err.Error(), "fuzz:%d: at byte %d:", &line, &offset); scanning != nil || line < 1 || offset > len(data) || traces != nil {
				t.Errorf("%d traces, %v", len(traces), err)
			}
			return
		}
		for _, trace := range traces {
			trace.Forest()
			first, err := trace.JSON()
			if err != nil {
				t.Fatal(err)
			}
			again, err := ReadOTLP("again", first)
			if err != nil || len(again) != 1 || again[0].Len() != trace.Len() {
				t.Fatalf("%d traces, %v\n%s", len(again), err, first)
			}
			second, err := again[0].JSON()
			if err != nil || string(first) != string(second) {
				t.Errorf("%v\n%s\n%s", err, first, second)
			}
		}
	})
}

// Files from other people must not take long: no part is read once per level, or compared with all
// others.
func TestReadOTLPOfHostileFiles(t *testing.T) {
	t.Parallel()
	const many = 200_000
	var spans strings.Builder
	for i := range many / 4 {
		fmt.Fprintf(&spans, `,{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"%d"}`, i)
	}
	sameID := `{"resourceSpans":[{"scopeSpans":[{"spans":[` + spans.String()[1:] + `]}]}]}`
	nested := func(open, end string, depth int) string {
		return strings.Repeat(open, depth) + `{"resourceSpans":[]}` + strings.Repeat(end, depth)
	}
	attribute := strings.Repeat(`{"arrayValue":{"values":[`, 3000) + strings.Repeat(`]}}`, 3000)
	for name, file := range map[string]string{
		"results":   nested(`{"result":`, "}", 4000),
		"deeper":    nested(`{"result":`, "}", many),
		"siblings":  nested(`{"a":1,"result":`, "}", 4000),
		"lists":     nested("[", "]", many),
		"documents": strings.Repeat(`{"resourceSpans":[]}`, many),
		"unclosed":  strings.Repeat(`{"result":`, many),
		"same id":   sameID,
		"values":    `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","attributes":[{"key":"a","value":` + attribute + `}]}]}]}]}`,
	} {
		start := time.Now()
		traces, err := ReadOTLP(name, []byte(file))
		if took := time.Since(start); took > 2*time.Minute {
			t.Errorf("ReadOTLP of %s (%d bytes) took %s", name, len(file), took)
		}
		if name == "same id" && (err != nil || len(traces) != 1 || traces[0].Len() != many/4) {
			t.Errorf("ReadOTLP of %s = %d traces, %v; want one with all spans", name, len(traces), err)
		}
	}
	if traces, err := ReadOTLP("wrapped", []byte(`{"result":`+string(jaegertest.ReadFile(t, shopFile))+`}`)); err != nil || len(traces) != 1 {
		t.Errorf("ReadOTLP of a result = %d traces, %v; want one", len(traces), err)
	}
}
