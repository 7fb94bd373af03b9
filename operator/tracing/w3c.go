package tracing

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// level2 gives a traceparent to OpenTelemetry's propagator such that it comes out as W3C Trace Context
// level 2 says. That propagator is stricter about flags, for it refuses all that it does not know, where
// unknown ones are to be ignored; and laxer about a dash at the end, which version 00 does not have.
// Whatever else is wrong it finds out itself.
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

// knownFlags keeps the two lowest flags of two hexadecimal digits. It is false where nothing is to be
// changed: for flags that are known, and for what are no flags.
func knownFlags(high, low byte) (string, bool) {
	const digits = "0123456789abcdef"
	i := strings.IndexByte(digits, low)
	if i < 0 || strings.IndexByte(digits, high) < 0 || high == '0' && i <= 3 {
		return "", false
	}
	return "0" + digits[i&3:i&3+1], true
}

// level2State leaves out members of a tracestate that are only white space, of which OpenTelemetry's parser
// knows no more than the empty ones. (That a key begins with a digit, as level 2 allows, it does not know
// either, and then takes the tracestate for invalid. Nothing can be done about that here.)
func level2State(tracestate string) string {
	const space = " \t"
	if !strings.ContainsAny(tracestate, space) {
		return tracestate
	}
	members := strings.Split(tracestate, ",")
	members = slices.DeleteFunc(members, func(m string) bool { return strings.Trim(m, space) == "" })
	return strings.Join(members, ",")
}

// level2Value is level2 or level2State, and other keys' values as they are.
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

// headerCarrier reads HTTP headers as level 2 says: several traceparents are none, several tracestates
// are one.
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
