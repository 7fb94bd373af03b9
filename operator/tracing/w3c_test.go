package tracing

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// w3cCase is a context as it comes, and what W3C Trace Context level 2 makes of it.
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

// w3cParents are traceparents, by what is special about them.
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
		"256 KiB, begins as a valid one":   invalid(w3cParent + strings.Repeat("-", 256<<10)),
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

// w3cStates are tracestates beside a valid traceparent. An invalid one is left out as a whole.
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
		"key begins with a digit":  {"1a=1", ""}, // level 2 allows it, OpenTelemetry's TraceState cannot hold it
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

// onObject puts the case on an object, as a context of its present generation.
func (tc w3cCase) onObject(d *appsv1.Deployment) {
	d.Annotations = map[string]string{originKey: fmt.Sprintf("b7ad6b7169203331-%d-%d", max(d.Generation-1, 0), time.Now().UnixNano())}
	if tc.parent != "" {
		d.Annotations[parentKey] = tc.parent
	}
	if tc.state != "" {
		d.Annotations[stateKey] = tc.state
	}
}

// check compares a context with what it should be; an invalid one where there should be none.
func (tc w3cCase) check(t *testing.T, where string, sc trace.SpanContext) {
	t.Helper()
	if sc.IsValid() != tc.valid || sc.TraceFlags() != tc.flags || sc.TraceState().String() != tc.wantState {
		t.Errorf("%s: context %v with flags %s and tracestate %q, want valid %t, %s and %q", where,
			sc.SpanID(), sc.TraceFlags(), sc.TraceState(), tc.valid, tc.flags, tc.wantState)
	}
	if tc.valid && sc.TraceID().String()+"-"+sc.SpanID().String() != w3cIDs {
		t.Errorf("%s: ids %s and %s", where, sc.TraceID(), sc.SpanID())
	}
}

func (tc w3cCase) checkLinks(t *testing.T, where string, s tracingtest.Span) {
	t.Helper()
	switch {
	case tc.valid && len(s.Links) == 1:
		tc.check(t, where, s.Links[0].SpanContext)
	case tc.valid, len(s.Links) > 0:
		t.Errorf("%s: links %v, want one: %t", where, s.Links, tc.valid)
	}
}

func TestW3C(t *testing.T) {
	cases := w3cParents()
	for name, tc := range w3cStates() {
		cases[name] = tc
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.extracted(t)
			tc.reconciled(t)
			tc.admitted(t)
			tc.inHeader(t)
		})
	}
}

func (tc w3cCase) extracted(t *testing.T) {
	t.Helper()
	var logged logLines
	obj := deployment("owner", tc.onObject)
	sc, _ := ExtractContext(log.IntoContext(t.Context(), logged.logger()), obj, WithTracerProvider(tracingtest.NewTracerProvider()))
	tc.check(t, "extracted", sc)
	tc.checkLines(t, "extracted", logged.lines)
}

// checkLines: an invalid context is logged once, short, and without what a terminal would obey.
func (tc w3cCase) checkLines(t *testing.T, where string, lines []string) {
	t.Helper()
	want := 0
	if !tc.valid && tc.parent+tc.state != "" {
		want = 1
	}
	if len(lines) != want {
		t.Errorf("%s: %d lines are logged, want %d", where, len(lines), want)
	}
	for _, line := range lines {
		if !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) || strings.Contains(line, `\x`) || len(line) > 1000 {
			t.Errorf("%s: logged %.2000q", where, line)
		}
	}
}

// reconciled: the span is a child of the context, or there was none; and what it writes is valid.
func (tc w3cCase) reconciled(t *testing.T) {
	t.Helper()
	owner := deployment("owner", tc.onObject)
	var written corev1.ConfigMap
	server := newFakeServer(t, owner)
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		return c.Create(ctx, configMap("child"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Get(t.Context(), client.ObjectKeyFromObject(configMap("child")), &written); err != nil {
		t.Fatal(err)
	}
	s := spanNamed(t, spans, "reconcile Deployment")
	parent := s.Parent
	if !tc.valid {
		if s.Context.TraceID() != generationTraceID(string(owner.UID), 1) || len(s.Links) > 0 {
			t.Errorf("reconciled: parent %v, links %v, want the root of the generation", parent, s.Links)
		}
		parent = trace.SpanContext{}
	}
	tc.check(t, "reconciled", parent)
	stored, ok := newConfig(nil).extractFrom(written.Annotations)
	if !ok || !stored.hasOrigin || stored.sc.TraceFlags() != tc.flags|trace.FlagsSampled || stored.sc.TraceState().String() != tc.wantState {
		t.Errorf("reconciled: wrote %v", written.Annotations)
	}
}

// admitted: in either form, a user's context is a link or nothing, and the object gets another.
func (tc w3cCase) admitted(t *testing.T) {
	t.Helper()
	obj := submitted(tc.onObject)
	got := admitCase{obj: obj, user: "alice"}.run(t)
	s := spanNamed(t, got.spans, "admit Deployment")
	tc.checkLinks(t, "defaulter", s)
	tc.checkLines(t, "defaulter", got.lines)
	if got.stored().sc.SpanID() != s.Context.SpanID() || got.obj.Annotations[stateKey] != "" {
		t.Errorf("defaulter: annotations %v", got.obj.Annotations)
	}

	var logged logLines
	tp := tracingtest.NewTracerProvider()
	req := reviewOf(t, nil, obj, "alice", false)
	h := WrapAdmissionHandler(nil, WithTracerProvider(tp))
	resp := h.Handle(log.IntoContext(t.Context(), logged.logger()), admission.Request{AdmissionRequest: req})
	if err := resp.Complete(admission.Request{}); err != nil || !resp.Allowed {
		t.Fatalf("handler: allowed %t, error %v", resp.Allowed, err)
	}
	s = spanNamed(t, tp.Spans(), "admit Deployment")
	tc.checkLinks(t, "handler", s)
	tc.checkLines(t, "handler", logged.lines)
	annotations := answer{object: applied(t, req.Object.Raw, &resp.AdmissionResponse)}.annotations()
	if stored, _ := newConfig(nil).extractFrom(annotations); stored.sc.SpanID() != s.Context.SpanID() || annotations[stateKey] != "" {
		t.Errorf("handler: annotations %v", annotations)
	}
}

func (tc w3cCase) inHeader(t *testing.T) {
	t.Helper()
	header := http.Header{}
	if tc.parent != "" {
		header.Set("traceparent", tc.parent)
	}
	if tc.state != "" {
		header.Set("tracestate", tc.state)
	}
	ctx := WebhookContext(WithTracerProvider(tracingtest.NewTracerProvider()))(t.Context(), &http.Request{Header: header})
	tc.check(t, "header", trace.SpanContextFromContext(ctx))
}

// TestHeaderTwice: several traceparents say nothing, and several tracestates are one list.
func TestHeaderTwice(t *testing.T) {
	read := WebhookContext(WithTracerProvider(tracingtest.NewTracerProvider()))
	twice := http.Header{"Traceparent": {w3cParent, w3cParent}}
	if sc := trace.SpanContextFromContext(read(t.Context(), &http.Request{Header: twice})); sc.IsValid() {
		t.Errorf("two traceparents are %v", sc)
	}
	lists := http.Header{"Traceparent": {w3cParent}, "Tracestate": {"a=1", "", "b=2, c=3"}}
	w3cCase{valid: true, flags: 1, wantState: "a=1,b=2,c=3"}.check(t, "header", trace.SpanContextFromContext(read(t.Context(), &http.Request{Header: lists})))
}

// TestOtherPropagatorsValues: what is not W3C Trace Context is not read as such.
func TestOtherPropagatorsValues(t *testing.T) {
	for key, value := range map[string]string{"b3": w3cParent + "-", "baggage": "a=1, ,b=2"} {
		if got := level2Value(key, value); got != value {
			t.Errorf("%s: %q, want %q", key, got, value)
		}
	}
}
