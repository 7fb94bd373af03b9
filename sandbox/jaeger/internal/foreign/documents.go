package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Document is a JSON value of a file. Its data is empty for an error at the offset.
type Document struct {
	Data   []byte
	Offset int64
}

// ErrNotJSON is returned for a file that does not start with JSON.
var ErrNotJSON = errors.New("not JSON")

// Documents returns the JSON values of a file, and an error at the first byte that is not JSON. It
// copies a value only if there are several.
func Documents(data []byte) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		if json.Valid(data) {
			yield(Document{data, int64(len(data) - len(bytes.TrimLeft(data, " \t\r\n")))}, nil)
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		for {
			var value json.RawMessage
			err := decoder.Decode(&value)
			syntax := (*json.SyntaxError)(nil)
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.As(err, &syntax) && len(bytes.TrimLeft(data[:max(0, syntax.Offset-1)], " \t\r\n")) == 0:
				yield(Document{}, ErrNotJSON)
				return
			case errors.As(err, &syntax):
				yield(Document{Offset: max(0, syntax.Offset-1)}, fmt.Errorf("invalid JSON: %w", err))
				return
			case err != nil:
				yield(Document{Offset: int64(len(data))}, errors.New("incomplete JSON; the file may be truncated"))
				return
			}
			if !yield(Document{value, decoder.InputOffset() - int64(len(value))}, nil) {
				return
			}
		}
	}
}
