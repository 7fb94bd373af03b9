package jaeger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// FormatError says where a file is not OTLP JSON. Its text begins with the
// file's name, the line and the byte, in the form that editors jump to.
type FormatError struct {
	Name string
	// Line counts from 1; Offset counts bytes from 0. Where a document is JSON but
	// not OTLP they are those of its beginning.
	Line   int
	Offset int64
	Err    error
}

// Error gives the place and the reason.
func (e *FormatError) Error() string {
	return fmt.Sprintf("%s:%d: at byte %d: %v", e.Name, e.Line, e.Offset, e.Err)
}

// Unwrap gives the reason.
func (e *FormatError) Unwrap() error { return e.Err }

// ErrNoTraces says that a file is JSON, but holds no spans.
var ErrNoTraces = errors.New("no spans")

// ReadOTLP reads OTLP JSON: one document with resourceSpans, or several one after
// the other, as the collector writes them line by line, or as an answer of Jaeger
// in which each is the result of an object. The name is for errors. It gives the
// traces in the order of their first spans. Anything wrong anywhere is an error,
// a *[FormatError], and no trace: text that is no JSON, a span without ids, ids
// that aren't hexadecimal digits, and no span at all, which is [ErrNoTraces].
func ReadOTLP(name string, data []byte) ([]Trace, error) {
	all := ptrace.NewTraces()
	begin := int64(0)
	fail := func(offset int64, err error) error {
		offset = min(offset, int64(len(data)))
		return &FormatError{Name: name, Line: 1 + bytes.Count(data[:offset], []byte("\n")), Offset: offset, Err: err}
	}
	_, err := eachDocument(data, func(document []byte, offset int64) error {
		begin = offset
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
		return nil, fail(max(0, syntax.Offset-1), fmt.Errorf("it is no JSON: %w", err))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fail(int64(len(data)), errors.New("it ends within its JSON: is it cut off?"))
	case err != nil:
		return nil, fail(begin, err)
	case all.SpanCount() == 0:
		return nil, fail(0, ErrNoTraces)
	}
	return FromOTLP(all), nil
}

// readDocument decodes one document of a file and looks at its spans' ids.
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
			return ptrace.Traces{}, fmt.Errorf("%w: it looks like the JSON of Jaeger's web page, which is not OTLP; /api/v3/traces/ID gives that", ErrNoTraces)
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

// unmarshalTraces decodes OTLP JSON. The collector's decoder knows that ids are
// hexadecimal there; protojson takes them for base64 and gives others.
func unmarshalTraces(document []byte) (ptrace.Traces, error) {
	traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(document)
	if err != nil {
		return traces, fmt.Errorf("decoding OTLP JSON: %w", err)
	}
	return traces, nil
}

// eachDocument calls f with every JSON value in data, with which it shares memory,
// and the value's offset, and counts them. An error of syntax counts its offset
// from data's start.
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
		begin := end - int64(len(document))
		if err := f(data[begin:end], begin); err != nil {
			return documents, err
		}
		documents++
	}
}
