package tracing

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// level2 rewrites a traceparent so that OpenTelemetry's propagator reads it as W3C Trace Context
// level 2 requires. The propagator rejects unknown flags, which must be ignored, and accepts a
// trailing dash, which version 00 does not allow. It detects all other errors itself.
func level2(traceparent string) string {
	const version, length = "00-", 55
	if len(traceparent) < length || !strings.HasPrefix(traceparent, version) {
		return traceparent
	}
	if len(traceparent) > length {
		return ""
	}
	known, ok := knownFlags(traceparent[length-2], traceparent[length-1])
	if !ok {
		return traceparent
	}
	return traceparent[:length-2] + known
}

// knownFlags clears all but the two lowest flags of two hexadecimal digits. It returns false if
// nothing must change: for known flags, and for digits that are not hexadecimal.
func knownFlags(high, low byte) (string, bool) {
	const digits = "0123456789abcdef"
	i := strings.IndexByte(digits, low)
	if i < 0 || strings.IndexByte(digits, high) < 0 || high == '0' && i <= 3 {
		return "", false
	}
	return "0" + digits[i&3:i&3+1], true
}

// level2State drops members of a tracestate that are only white space, which OpenTelemetry's parser
// rejects. (The parser also rejects keys that start with a digit, which level 2 allows. That cannot
// be fixed here.)
func level2State(tracestate string) string {
	const space = " \t"
	if !strings.ContainsAny(tracestate, space) {
		return tracestate
	}
	members := strings.Split(tracestate, ",")
	members = slices.DeleteFunc(members, func(m string) bool { return strings.Trim(m, space) == "" })
	return strings.Join(members, ",")
}

// level2Value applies level2 or level2State, and returns the values of other keys unchanged.
func level2Value(key, value string) string {
	switch key {
	case TraceparentKey:
		return level2(value)
	case TracestateKey:
		return level2State(value)
	default:
		return value
	}
}

// headerCarrier reads HTTP headers by level 2: it ignores repeated traceparents, and joins repeated
// tracestates.
type headerCarrier struct{ propagation.HeaderCarrier }

// Get implements propagation.TextMapCarrier.
func (c headerCarrier) Get(key string) string {
	switch values := c.Values(key); {
	case key == TraceparentKey && len(values) > 1:
		return ""
	case key == TracestateKey:
		return level2State(strings.Join(values, ","))
	default:
		return level2Value(key, c.HeaderCarrier.Get(key))
	}
}
