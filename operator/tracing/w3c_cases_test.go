package tracing

import (
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// w3cCase is a received context, and its meaning by W3C Trace Context level 2.
type w3cCase struct {
	parent, state string
	valid         bool
	flags         trace.TraceFlags
	wantState     string
}

const (
	w3cIDs    = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
	w3cParent = "00-" + w3cIDs + "-01"
)

// w3cParents are traceparents, by their special property.
func w3cParents() map[string]w3cCase {
	valid := func(parent string, flags trace.TraceFlags) w3cCase {
		return w3cCase{parent: parent, valid: true, flags: flags}
	}
	invalid := func(parent string) w3cCase { return w3cCase{parent: parent} }
	cases := map[string]w3cCase{
		"none":                             {},
		"version 00":                       valid(w3cParent, 1),
		"version 01":                       valid("01-"+w3cIDs+"-01", 1),
		"version cc":                       valid("cc-"+w3cIDs+"-01", 1),
		"version fe":                       valid("fe-"+w3cIDs+"-01", 1),
		"version ff":                       invalid("ff-" + w3cIDs + "-01"),
		"version FE":                       invalid("FE-" + w3cIDs + "-01"),
		"version 0g":                       invalid("0g-" + w3cIDs + "-01"),
		"version 0":                        invalid("0-" + w3cIDs + "-01"),
		"version 000":                      invalid("000-" + w3cIDs + "-01"),
		"no version":                       invalid("-" + w3cIDs + "-01"),
		"version 00, dash at the end":      invalid(w3cParent + "-"),
		"version 00, more":                 invalid(w3cParent + "-more"),
		"version 00, more without a dash":  invalid(w3cParent + "0"),
		"version 01, dash at the end":      valid("01-"+w3cIDs+"-01-", 1),
		"version 01, more":                 valid("01-"+w3cIDs+"-01-what-the-future-brings", 1),
		"version 01, more without a dash":  invalid("01-" + w3cIDs + "-01.what"),
		"version cc, much more":            valid("cc-"+w3cIDs+"-01-"+strings.Repeat("x", 1000), 1),
		"version cc, no flags":             invalid("cc-" + w3cIDs),
		"version cc, half of the flags":    invalid("cc-" + w3cIDs + "-0"),
		"trace id zero":                    invalid("00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01"),
		"span id zero":                     invalid("00-0af7651916cd43dd8448eb211c80319c-" + strings.Repeat("0", 16) + "-01"),
		"version 01, trace id zero":        invalid("01-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01"),
		"version 01, span id zero":         invalid("01-0af7651916cd43dd8448eb211c80319c-" + strings.Repeat("0", 16) + "-01"),
		"upper case":                       invalid(strings.ToUpper(w3cParent)),
		"upper case in the trace id":       invalid("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
		"upper case in the span id":        invalid("00-0af7651916cd43dd8448eb211c80319c-B7ad6b7169203331-01"),
		"flags AA":                         invalid("00-" + w3cIDs + "-AA"),
		"flags 0A":                         invalid("00-" + w3cIDs + "-0A"),
		"flags F1":                         invalid("00-" + w3cIDs + "-F1"),
		"flags 0g":                         invalid("00-" + w3cIDs + "-0g"),
		"flags g1":                         invalid("00-" + w3cIDs + "-g1"),
		"flags +1":                         invalid("00-" + w3cIDs + "-+1"),
		"flags 1":                          invalid("00-" + w3cIDs + "-1"),
		"flags 001":                        invalid("00-" + w3cIDs + "-001"),
		"no flags":                         invalid("00-" + w3cIDs),
		"empty flags":                      invalid("00-" + w3cIDs + "-"),
		"version 01, flags ff":             valid("01-"+w3cIDs+"-ff", 3),
		"short trace id":                   invalid("00-af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
		"long trace id":                    invalid("00-00af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
		"short span id":                    invalid("00-0af7651916cd43dd8448eb211c80319c-7ad6b7169203331-01"),
		"long span id":                     invalid("00-0af7651916cd43dd8448eb211c80319c-0b7ad6b7169203331-01"),
		"ids swapped":                      invalid("00-b7ad6b7169203331-0af7651916cd43dd8448eb211c80319c-01"),
		"underscores":                      invalid(strings.ReplaceAll(w3cParent, "-", "_")),
		"no dashes":                        invalid(strings.ReplaceAll(w3cParent, "-", "")),
		"space before":                     invalid(" " + w3cParent),
		"space after":                      invalid(w3cParent + " "),
		"line feed after":                  invalid(w3cParent + "\n"),
		"two":                              invalid(w3cParent + "," + w3cParent),
		"control characters":               invalid("00-\x00\x01\x1b[31m" + w3cParent[11:]),
		"no UTF-8":                         invalid("00-\xff\xfe" + w3cParent[5:]),
		"not ASCII":                        invalid("00-ä" + w3cParent[5:]),
		"256 KiB":                          invalid(strings.Repeat("0", 256<<10)),
		"256 KiB, starts as a valid one":   invalid(w3cParent + strings.Repeat("-", 256<<10)),
		"256 KiB, all dashes":              invalid(strings.Repeat("-", 256<<10)),
		"tracestate without a traceparent": {state: "a=1"},
		"tracestate with an invalid one":   {parent: "garbage", state: "a=1"},
	}
	for flags, want := range map[string]trace.TraceFlags{
		"00": 0, "01": 1, "02": 2, "03": 3, "04": 0, "05": 1, "0f": 3, "10": 0, "81": 1, "fe": 2, "ff": 3,
	} {
		cases["flags "+flags] = valid("00-"+w3cIDs+"-"+flags, want)
	}
	return cases
}

// w3cStates are tracestates for a valid traceparent. An invalid tracestate is dropped as a whole.
func w3cStates() map[string]w3cCase {
	members := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("k%d=v", i))
		}
		return strings.Join(list, ",")
	}
	long := func(n int) string { return "a" + strings.Repeat("b", n-1) }
	cases := map[string]w3cCase{}
	for name, state := range map[string][2]string{
		"one member":               {"a=1", "a=1"},
		"two members":              {"b=2,a=1", "b=2,a=1"},
		"32 members":               {members(32), members(32)},
		"33 members":               {members(33), ""},
		"duplicate keys":           {"a=1,b=2,a=3", ""},
		"value of 256":             {"a=" + long(256), "a=" + long(256)},
		"value of 257":             {"a=" + long(257), ""},
		"key of 256":               {long(256) + "=1", long(256) + "=1"},
		"key of 257":               {long(257) + "=1", ""},
		"tenant":                   {"1tenant@system=1", "1tenant@system=1"},
		"symbols":                  {"a_-*/=!\"#$%&'()*+-./:;<>?@[]^_`{|}~", "a_-*/=!\"#$%&'()*+-./:;<>?@[]^_`{|}~"},
		"key starts with a digit":  {"1a=1", ""}, // level 2 allows it, OpenTelemetry's TraceState cannot hold it
		"upper case key":           {"A=1", ""},
		"no key":                   {"=1", ""},
		"no value":                 {"a=", ""},
		"no equals sign":           {"a", ""},
		"two equals signs":         {"a=1=2", ""},
		"empty":                    {"", ""},
		"no member":                {",", ""},
		"an empty member":          {"a=1,,b=2", "a=1,b=2"},
		"a member of white space":  {"a=1, \t,b=2", "a=1,b=2"},
		"nothing but white space":  {" ", ""},
		"white space around":       {" a=1\t,\t b=2 ", "a=1,b=2"},
		"white space in a value":   {"a=1 2", "a=1 2"},
		"white space before a '='": {"a =1", ""},
		"control character":        {"a=\x00", ""},
		"line feed":                {"a=1\nb", ""},
		"no UTF-8":                 {"a=\xff", ""},
		"not ASCII":                {"a=ä", ""},
		"256 KiB":                  {strings.Repeat("a=1,", 64<<10), ""},
	} {
		cases["tracestate: "+name] = w3cCase{w3cParent, state[0], true, 1, state[1]}
	}
	return cases
}
