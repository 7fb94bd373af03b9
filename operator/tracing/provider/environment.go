package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.opentelemetry.io/otel"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	disabledKey    = "OTEL_SDK_DISABLED"
	serviceNameKey = "OTEL_SERVICE_NAME"
	attributesKey  = "OTEL_RESOURCE_ATTRIBUTES"

	maxMilliseconds = math.MaxInt32 // 24 days: far below the overflow of a time.Duration
	maxQueue        = 1 << 20       // the SDK allocates the whole queue at once, and panics if it can't
	maxPrinted      = 200           // runes of a value or a reason in a log line
)

// malformed reports a variable that can't be used as written.
type malformed struct {
	variable, value string // value is escaped and redacted
	reason, using   string
}

// Error implements error.
func (m *malformed) Error() string {
	return fmt.Sprintf("reading %s=\"%s\": %s", m.variable, m.value, m.reason) //nolint:gocritic // the value is already escaped
}

// reading is the result of parsing one variable.
type reading struct {
	value  string // the value for the SDK; "" hides the variable from the SDK
	reason string // why the variable is malformed; "" if it is well-formed
	using  string // the setting that is used instead; "" stands for value or, if that is empty, the default
}

type parser func(value string) reading

// variables are the OTEL_* variables of the process after correction.
//
// The SDK and its exporters read the environment themselves. They panic on some malformed values
// and log others, among them secrets in headers. So they must only see corrected values, which
// [variables.use] puts in place.
type variables struct {
	written   map[string]string // without spaces around the values
	corrected map[string]string // "" hides the variable
	problems  []error           // *malformed, except for problems of no single variable
}

// integers are the variables of the batch processor and the limits of spans.
var integers = []struct {
	name, fallback string
	low, high      int
}{
	{"OTEL_BSP_SCHEDULE_DELAY", "5000", 1, maxMilliseconds}, // With 0 or less, the processor is a busy loop.
	{"OTEL_BSP_EXPORT_TIMEOUT", "30000", 0, maxMilliseconds},
	{"OTEL_BSP_MAX_QUEUE_SIZE", "2048", 1, maxQueue},
	{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512", 1, maxQueue},
	// A negative value means no limit.
	{"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "no limit", math.MinInt32, math.MaxInt32},
	{"OTEL_ATTRIBUTE_COUNT_LIMIT", "128", math.MinInt32, math.MaxInt32},
	{"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "the limit of all attributes", math.MinInt32, math.MaxInt32},
	{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "the limit of all attributes", math.MinInt32, math.MaxInt32},
	{"OTEL_SPAN_EVENT_COUNT_LIMIT", "128", math.MinInt32, math.MaxInt32},
	{"OTEL_SPAN_LINK_COUNT_LIMIT", "128", math.MinInt32, math.MaxInt32},
	{"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "128", math.MinInt32, math.MaxInt32},
	{"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "128", math.MinInt32, math.MaxInt32},
}

// readVariables checks the variables that the SDK reads, whatever the exporter.
func readVariables() *variables {
	v := &variables{written: map[string]string{}, corrected: map[string]string{}}
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") {
			v.written[name] = strings.TrimSpace(value)
			v.corrected[name] = v.written[name]
		}
	}
	v.check(disabledKey, oneOf("true", "false"), "false")
	v.check(serviceNameKey, text, "the default service name")
	v.check(attributesKey, resourceAttributes, "no attributes")
	for _, row := range integers {
		v.check(row.name, integer(row.low, row.high), row.fallback)
	}
	return v
}

// get returns the corrected value of a variable, or "".
func (v *variables) get(name string) string { return v.corrected[name] }

// check parses a variable unless it is empty, and reports it if it is malformed. fallback names the
// setting that is used if no part of the value is usable.
func (v *variables) check(name string, parse parser, fallback string) {
	value := v.written[name]
	if value == "" {
		return
	}
	r := parse(value)
	v.corrected[name] = r.value
	if r.reason == "" {
		return
	}
	if r.using == "" && r.value != "" {
		r.using = `"` + printable(name, r.value) + `"`
	}
	v.report(name, r.reason, cmp.Or(r.using, fallback))
}

// report records that a variable is malformed.
func (v *variables) report(name, reason, using string) {
	value := printable(name, v.written[name])
	v.problems = append(v.problems, &malformed{variable: name, value: value, reason: shorten(reason), using: shorten(using)})
}

// environmentMu guards the environment while it has the corrected values.
var environmentMu sync.Mutex

// use calls f while the environment has the corrected values, and restores the environment. The
// caller holds environmentMu.
func (v *variables) use(f func()) {
	var restore []func()
	defer func() {
		for _, f := range restore {
			f()
		}
	}()
	for name, value := range v.corrected {
		was, ok := os.LookupEnv(name)
		if value == was && ok == (value != "") {
			continue
		}
		restore = append(restore, func() { setenv(name, was, ok) })
		setenv(name, value, value != "")
	}
	f()
}

// setenv ignores the error: it is only for a name or value that an environment can't hold, and
// these came from one.
func setenv(name, value string, present bool) {
	if present {
		_ = os.Setenv(name, value)
		return
	}
	_ = os.Unsetenv(name)
}

// logProblems writes one line per problem. It prefers the logger of [WithLogger], then the logger
// of ctx, then controller-runtime's. Without an enabled logger, OpenTelemetry's error handler gets
// the problem. By default it writes to stderr.
func logProblems(ctx context.Context, c *config, problems []error) {
	logger := log.FromContext(ctx)
	if c.logger != nil {
		logger = *c.logger
	}
	for _, problem := range problems {
		message, values := "Tracing is incomplete", []any{"reason", problem.Error()}
		var m *malformed
		if errors.As(problem, &m) {
			message = "Malformed OpenTelemetry variable"
			values = []any{"variable", m.variable, "value", m.value, "reason", m.reason, "using", m.using}
			problem = fmt.Errorf("%w; using %s", m, m.using)
		}
		switch {
		case logger.Enabled(): // Not as an error, for which some loggers add a stack trace.
			logger.Info(message, values...)
		case c.logger != nil:
			logger.Error(nil, message, values...)
		default:
			otel.Handle(problem)
		}
	}
}

var urlUser = regexp.MustCompile(`//[^/]*@`)

// printable returns a value as one line without secrets.
func printable(name, value string) string {
	switch {
	case strings.HasSuffix(name, "_HEADERS"), strings.HasSuffix(name, "_CLIENT_KEY"), strings.Contains(value, "-----BEGIN"):
		return "[redacted]"
	case strings.HasSuffix(name, "_ENDPOINT"):
		value, _, _ = strings.Cut(value, "?")
		value = urlUser.ReplaceAllString(value, "//[redacted]@")
	}
	quoted := strconv.Quote(shorten(value))
	return quoted[1 : len(quoted)-1]
}

func shorten(s string) string {
	if r := []rune(s); len(r) > maxPrinted {
		return string(r[:maxPrinted]) + "…"
	}
	return s
}

// oneOf accepts a few values in any case.
func oneOf(values ...string) parser {
	return func(value string) reading {
		if value = strings.ToLower(value); slices.Contains(values, value) {
			return reading{value: value}
		}
		return reading{reason: "want " + strings.Join(values, " or ")}
	}
}

// integer accepts integers from low to high.
func integer(low, high int) parser {
	return func(value string) reading {
		n, err := strconv.Atoi(value)
		switch {
		case err == nil && n >= low && n <= high:
			return reading{value: value}
		case low < 0:
			return reading{reason: fmt.Sprintf("want an integer up to %d", high)}
		}
		return reading{reason: fmt.Sprintf("want an integer from %d to %d", low, high)}
	}
}

// text accepts UTF-8: a collector refuses every span of a resource with other bytes.
func text(value string) reading {
	if utf8.ValidString(value) {
		return reading{value: value}
	}
	return reading{value: strings.ToValidUTF8(value, "\uFFFD"), reason: "want UTF-8"}
}

// resourceAttributes keeps the well-formed pairs of key=value. As the SDK does, it keeps a value
// with a malformed percent escape as written.
func resourceAttributes(value string) reading {
	pairs := strings.Split(value, ",")
	var kept []string
	var bad []int
	for i, pair := range pairs {
		key, val, found := strings.Cut(pair, "=")
		decoded, err := url.PathUnescape(strings.TrimSpace(val))
		if !found || strings.TrimSpace(key) == "" || !utf8.ValidString(pair) || !utf8.ValidString(decoded) {
			bad = append(bad, i+1)
			continue
		}
		if err != nil {
			bad = append(bad, i+1)
			pair = key + "=" + strings.ReplaceAll(val, "%", "%25")
		}
		kept = append(kept, pair)
	}
	r := reading{value: strings.Join(kept, ",")}
	if len(bad) > 0 {
		r.reason = entries(bad, len(pairs)) + "; want key=value, percent-encoded"
	}
	return r
}

// entries names the malformed entries of a list by their positions.
func entries(bad []int, total int) string {
	positions := strings.Trim(fmt.Sprint(bad), "[]")
	return fmt.Sprintf("malformed entries: %s of %d", strings.ReplaceAll(positions, " ", ", "), total)
}
