package jaeger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// FormatError is the position at which a file is not valid OTLP JSON. Its message starts with the
// file name, the line and the byte, in a form that editors recognize.
type FormatError struct {
	Name string
	// Line starts at 1, Offset is in bytes and starts at 0. If a document is valid JSON but not
	// OTLP, they are the start of the document.
	Line   int
	Offset int64
	Err    error
}

// Error returns the position and the reason.
func (e *FormatError) Error() string {
	return fmt.Sprintf("%s:%d: at byte %d: %v", e.Name, e.Line, e.Offset, e.Err)
}

// Unwrap returns the reason.
func (e *FormatError) Unwrap() error { return e.Err }

// ErrNoTraces is returned for a file that is valid JSON but has no spans.
var ErrNoTraces = errors.New("no spans")

// ReadOTLP reads OTLP JSON and returns the traces in the order of their first spans. The data is
// one document with resourceSpans or several in sequence, as the collector writes them line by
// line. Each can also be the result of an object, as in a response of Jaeger. The name is for
// errors. ReadOTLP returns a *[FormatError] and no traces if any part is invalid: invalid JSON,
// spans without ids, ids that are not hexadecimal, or no spans at all ([ErrNoTraces]).
func ReadOTLP(name string, data []byte) ([]Trace, error) {
	all := ptrace.NewTraces()
	start := int64(0)
	fail := func(offset int64, err error) error {
		offset = min(offset, int64(len(data)))
		return &FormatError{Name: name, Line: 1 + bytes.Count(data[:offset], []byte("\n")), Offset: offset, Err: err}
	}
	_, err := eachDocument(data, func(document []byte, offset int64) error {
		start = offset
		traces, err := readDocument(document)
		if err != nil {
			return err
		}
		traces.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
		return nil
	})
	syntax := (*json.SyntaxError)(nil)
	switch {
	case errors.As(err, &syntax):
		return nil, fail(max(0, syntax.Offset-1), fmt.Errorf("invalid JSON: %w", err))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fail(int64(len(data)), errors.New("incomplete JSON; the file may be truncated"))
	case err != nil:
		return nil, fail(start, err)
	case all.SpanCount() == 0:
		return nil, fail(0, ErrNoTraces)
	}
	return FromOTLP(all), nil
}

// readDocument decodes one document of a file and checks the ids of its spans.
func readDocument(document []byte) (ptrace.Traces, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(document, &fields); err != nil {
		return ptrace.Traces{}, fmt.Errorf("%w: want an object with resourceSpans: %w", ErrNoTraces, err)
	}
	if result, wrapped := fields["result"]; wrapped {
		return readDocument(result)
	}
	_, camel := fields["resourceSpans"]
	_, snake := fields["resource_spans"]
	if !camel && !snake {
		if _, own := fields["data"]; own {
			return ptrace.Traces{}, fmt.Errorf("%w: this is the JSON of Jaeger's UI, not OTLP; get OTLP from /api/v3/traces/ID", ErrNoTraces)
		}
		return ptrace.Traces{}, fmt.Errorf("%w: want an object with resourceSpans", ErrNoTraces)
	}
	traces, err := unmarshalTraces(document)
	if err != nil {
		return traces, err
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

// unmarshalTraces decodes OTLP JSON with the collector's decoder. protojson would decode the
// hexadecimal ids as base64.
func unmarshalTraces(document []byte) (ptrace.Traces, error) {
	traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(document)
	if err != nil {
		return traces, fmt.Errorf("decoding OTLP JSON: %w", err)
	}
	return traces, nil
}

// eachDocument calls f with every JSON value in data and its offset, and returns the number of
// values. The values share the memory of data. The offset of a syntax error is relative to data.
func eachDocument(data []byte, f func(document []byte, offset int64) error) (documents int, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		var document json.RawMessage
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return documents, err
		}
		end := decoder.InputOffset()
		start := end - int64(len(document))
		if err := f(data[start:end], start); err != nil {
			return documents, err
		}
		documents++
	}
}
