package tracetree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
// The data can be compressed with gzip, and encoded in UTF-16.
//
// ReadOTLP returns an error and no traces if any part is invalid: invalid JSON, spans without ids,
// ids that are not hexadecimal, or no spans at all ([ErrNoTraces]). The error starts with the name
// of the file, the line and the byte, in a form that editors recognize. If a document is valid
// JSON but not OTLP, the position is the start of the document.
func ReadOTLP(name string, data []byte) ([]Trace, error) {
	data, err := foreign.Text(data)
	if err != nil {
		return nil, fmt.Errorf("%s:1: at byte 0: %w", name, err)
	}
	all := ptrace.NewTraces()
	for document, err := range foreign.Documents(data) {
		var traces ptrace.Traces
		if err == nil {
			traces, err = readDocument(document.Data)
		}
		if errors.Is(err, foreign.ErrNotJSON) {
			err = noTraces(data)
		}
		if err != nil {
			offset := min(document.Offset, int64(len(data)))
			return nil, fmt.Errorf("%s:%d: at byte %d: %w", name, 1+bytes.Count(data[:offset], []byte("\n")), offset, err)
		}
		traces.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
	}
	if all.SpanCount() == 0 {
		return nil, fmt.Errorf("%s:1: at byte 0: %w", name, noTraces(data))
	}
	return FromOTLP(all), nil
}

// noTraces returns the error about a document without spans.
func noTraces(document []byte) error {
	return fmt.Errorf("%w: want an object with resourceSpans, got %s", ErrNoTraces, foreign.Describe(document))
}

// otherSignals are the fields of OTLP's other signals (opentelemetry-proto, *_service.proto).
var otherSignals = []string{"resourceMetrics", "resource_metrics", "resourceLogs", "resource_logs", "resourceProfiles", "resource_profiles"}

// readDocument decodes one document of a file.
func readDocument(document []byte) (ptrace.Traces, error) {
	fields, err := foreign.Fields(document)
	if _, wrapped := fields["result"]; wrapped { // Once: each level would be read again.
		var outer struct {
			Result json.RawMessage `json:"result"`
		}
		if err = json.Unmarshal(document, &outer); err == nil {
			document = outer.Result
			fields, err = foreign.Fields(document)
		}
	}
	if err != nil {
		return ptrace.Traces{}, noTraces(document)
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
		return ptrace.Traces{}, noTraces(document)
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
			return traces, fmt.Errorf("decoding OTLP JSON: %w", foreign.Cause(err))
		}
		if traces, err = new(ptrace.JSONUnmarshaler).UnmarshalTraces(otlp); err != nil {
			return traces, fmt.Errorf("decoding OTLP JSON: %w", foreign.Cause(err))
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
