package tracetree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/foreign"
)

// ErrNoTraces is returned for a file that is valid JSON but has no spans.
var ErrNoTraces = errors.New("no spans")

// ReadOTLP reads OTLP JSON and returns the traces in the order of their first spans. The data is
// one document with resourceSpans or several in sequence, as the collector writes them line by
// line. Each can also be the result of an object, as in a response of Jaeger, or of Grafana Tempo, and
// have ids in base64. Documents with other
// signals (metrics, logs and profiles) are ignored: the collector's file exporter mixes them.
//
// ReadOTLP returns an error and no traces if any part is invalid: invalid JSON, spans without ids,
// ids that are not hexadecimal, or no spans at all ([ErrNoTraces]). The error starts with the name
// of the file, the line and the byte, in a form that editors recognize. If a document is valid
// JSON but not OTLP, the position is the start of the document.
func ReadOTLP(name string, data []byte) ([]Trace, error) {
	all := ptrace.NewTraces()
	fail := func(offset int64, err error) error {
		offset = min(offset, int64(len(data)))
		return fmt.Errorf("%s:%d: at byte %d: %w", name, 1+bytes.Count(data[:offset], []byte("\n")), offset, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		var document json.RawMessage
		err := decoder.Decode(&document)
		syntax := (*json.SyntaxError)(nil)
		switch {
		case errors.Is(err, io.EOF) && all.SpanCount() == 0 && decoder.InputOffset() > 0:
			return nil, fail(0, fmt.Errorf("%w: want an object with resourceSpans", ErrNoTraces))
		case errors.Is(err, io.EOF) && all.SpanCount() == 0:
			return nil, fail(0, ErrNoTraces)
		case errors.Is(err, io.EOF):
			return FromOTLP(all), nil
		case errors.As(err, &syntax):
			return nil, fail(max(0, syntax.Offset-1), fmt.Errorf("invalid JSON: %w", err))
		case err != nil:
			return nil, fail(int64(len(data)), errors.New("incomplete JSON; the file may be truncated"))
		}
		traces, err := readDocument(document)
		if err != nil {
			return nil, fail(decoder.InputOffset()-int64(len(document)), err)
		}
		traces.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
	}
}

// otherSignals are the fields of OTLP's other signals (opentelemetry-proto, *_service.proto).
var otherSignals = []string{"resourceMetrics", "resource_metrics", "resourceLogs", "resource_logs", "resourceProfiles", "resource_profiles"}

// readDocument decodes one document of a file.
func readDocument(document []byte) (ptrace.Traces, error) {
	fields, err := fieldsOf(document)
	if result, wrapped := fields["result"]; wrapped { // Once: each level would be read again.
		document = result
		fields, err = fieldsOf(document)
	}
	if err != nil {
		return ptrace.Traces{}, fmt.Errorf("%w: want an object with resourceSpans: %w", ErrNoTraces, err)
	}
	_, camel := fields["resourceSpans"]
	_, snake := fields["resource_spans"]
	if !camel && !snake {
		if otlp, known := foreign.Normalize(document); known {
			return decode(otlp)
		}
		for field := range fields {
			if slices.Contains(otherSignals, field) {
				return ptrace.NewTraces(), nil
			}
		}
		if _, own := fields["data"]; own {
			return ptrace.Traces{}, fmt.Errorf("%w: this is the JSON of Jaeger's UI, not OTLP; get OTLP from /api/v3/traces/ID", ErrNoTraces)
		}
		return ptrace.Traces{}, fmt.Errorf("%w: want an object with resourceSpans", ErrNoTraces)
	}
	return decode(document)
}

// decode decodes OTLP JSON, whose ids are hexadecimal or in base64, and checks the ids.
func decode(document []byte) (ptrace.Traces, error) {
	// protojson would decode the hexadecimal ids as base64.
	traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(document)
	if err != nil {
		otlp, known := foreign.Normalize(document)
		if !known {
			return traces, fmt.Errorf("decoding OTLP JSON: %w", err)
		}
		if traces, err = new(ptrace.JSONUnmarshaler).UnmarshalTraces(otlp); err != nil {
			return traces, fmt.Errorf("decoding OTLP JSON: %w", err)
		}
	}
	for e := range elements(traces) {
		switch {
		case e.span.TraceID().IsEmpty():
			return traces, fmt.Errorf("span %q has no trace id", e.span.Name())
		case e.span.SpanID().IsEmpty():
			return traces, fmt.Errorf("span %q of trace %s has no id", e.span.Name(), e.span.TraceID())
		}
	}
	return traces, nil
}

func fieldsOf(document []byte) (fields map[string]json.RawMessage, err error) {
	err = json.Unmarshal(document, &fields)
	return fields, err
}
