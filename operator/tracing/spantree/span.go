package spantree

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The kinds of a span, as in OpenTelemetry's protocol without the prefix. Any other value,
// including the empty string, is an unknown kind. It is valid in a [Span], and no condition on the
// kind matches it.
const (
	KindInternal = "INTERNAL"
	KindServer   = "SERVER"
	KindClient   = "CLIENT"
	KindProducer = "PRODUCER"
	KindConsumer = "CONSUMER"
)

// Status codes of a span. The empty string means the same as [StatusUnset].
const (
	StatusUnset = "Unset"
	StatusOK    = "Ok"
	StatusError = "Error"
)

// Span is a finished span from any source.
//
// Ids are lower-case hexadecimal. ParentSpanID of a root is empty or has only zeros. End can be
// before Start, because clocks are skewed. Attribute values are string, bool, int64, float64 or
// slices of these. Other values are compared and printed in their fmt format.
type Span struct {
	TraceID      string
	SpanID       string
	ParentSpanID string
	Name         string
	Kind         string
	Service      string
	Start        time.Time
	End          time.Time
	Status       Status
	Attributes   map[string]any
	Links        []Link
	Events       []Event
}

// Status is the outcome of a span.
type Status struct {
	// Code is one of the Status constants; empty means Unset.
	Code string
	// Message describes an error; empty otherwise.
	Message string
}

// Link points to a span that is related but is not the parent.
type Link struct {
	TraceID    string
	SpanID     string
	Attributes map[string]any
}

// Event is something that happened at one moment of a span.
type Event struct {
	Name       string
	Time       time.Time
	Attributes map[string]any
}

// Duration returns the time from start to end. It is negative if the clock was set back in between.
func (s Span) Duration() time.Duration { return s.End.Sub(s.Start) }

// IsRoot reports whether the span has no parent id.
func (s Span) IsRoot() bool { return zeroID(s.ParentSpanID) }

// Code returns the status code, or [StatusUnset] for the empty string.
func (s Span) Code() string {
	if s.Status.Code == "" {
		return StatusUnset
	}
	return s.Status.Code
}

// zeroID reports whether an id is empty or has only zeros.
func zeroID(id string) bool { return strings.Trim(id, "0") == "" }

// FormatValue returns the text of an attribute's value for comparisons. Numbers have their shortest
// form. A slice has its elements in brackets, separated by commas.
func FormatValue(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []string:
		return "[" + strings.Join(v, ",") + "]"
	case []any:
		return formatSlice(v)
	case []int64:
		return formatSlice(v)
	case []float64:
		return formatSlice(v)
	case []bool:
		return formatSlice(v)
	default:
		return fmt.Sprint(value)
	}
}

func formatSlice[T any](values []T) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = FormatValue(v)
	}
	return "[" + strings.Join(parts, ",") + "]"
}
