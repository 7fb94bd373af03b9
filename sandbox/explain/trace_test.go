package explain_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain"
)

// epoch is the time 0 of the traces of the tests.
var epoch = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// short are the abbreviations of attributes in the traces of the tests.
var short = strings.NewReplacer(
	"kind=", "operator.object.kind=", "ns=", "k8s.namespace.name=", "name=", "operator.object.name=", "uid=", "operator.object.uid=",
	"rv=", "operator.write.resource_version=",
	"cause.kind=", "operator.reconcile.cause.kind=", "cause.name=", "operator.reconcile.cause.name=", "cause.ns=", "operator.reconcile.cause.namespace=",
	"cause.uid=", "operator.reconcile.cause.uid=", "cause.rv=", "operator.reconcile.cause.resource_version=", "cause.span=", "operator.reconcile.cause.span_id=",
	"queue=", "operator.reconcile.queue_wait=", "delay=", "operator.reconcile.delay=", "requeue=", "operator.reconcile.requeue_reason=",
	"trigger=", "operator.reconcile.trigger=", "result=", "operator.reconcile.result=", "intent=", "operator.reconcile.write_intent=",
	"readwait=", "operator.reconcile.read_wait=", "limiter=", "operator.reconcile.rate_limiter_wait=", "writelimiter=", "operator.write.rate_limiter_wait=",
	"certainty=", "operator.cause.certainty=", "container=", "k8s.container.name=",
)

const traceID = "0af7651916cd43dd8448eb211c80319c"

// parse reads a trace. A line has the id, the parent or -, the service, the kind or "observed", the
// name, start and end in milliseconds, and attributes. Tildes are blanks.
func parse(tb testing.TB, text string) []spantree.Span {
	tb.Helper()
	var spans []spantree.Span
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) < 7 {
			tb.Fatalf("parsing %q: want at least 7 fields", line)
		}
		s := spantree.Span{
			TraceID: traceID, SpanID: f[0], Service: f[2], Kind: f[3], Name: blanks(f[4]), Start: at(tb, f[5]), End: at(tb, f[6]),
			Attributes: map[string]any{},
		}
		if f[1] != "-" {
			s.ParentSpanID = f[1]
		}
		if s.Kind == "observed" {
			s.Kind, s.Attributes["operator.observed"] = spantree.KindInternal, true
		}
		_, kind, _ := strings.Cut(s.Name, " ")
		s.Attributes["operator.object.kind"], s.Attributes["k8s.namespace.name"] = kind, "default"
		for _, pair := range f[7:] {
			set(tb, &s, pair)
		}
		spans = append(spans, s)
	}
	return spans
}

func set(tb testing.TB, s *spantree.Span, pair string) {
	tb.Helper()
	key, value, found := strings.Cut(pair, "=")
	if !found {
		tb.Fatalf("parsing %q: want key=value", pair)
	}
	switch value = blanks(value); key {
	case "event":
		name, reason, _ := strings.Cut(value, "/")
		e := spantree.Event{Name: name, Time: s.End}
		if reason != "" {
			e.Attributes = map[string]any{"operator.condition.reason": reason}
		}
		s.Events = append(s.Events, e)
	case "error":
		s.Status = spantree.Status{Code: spantree.StatusError, Message: value}
	case "link":
		s.Links = append(s.Links, spantree.Link{TraceID: traceID, SpanID: value})
	case "queue", "delay", "readwait", "limiter", "writelimiter": // in milliseconds
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			tb.Fatal(err)
		}
		s.Attributes[strings.TrimSuffix(short.Replace(key+"="), "=")] = number / 1000
	case "lost", "unchanged":
		s.Attributes[map[string]string{"lost": "operator.observer.lost", "unchanged": "operator.write.unchanged"}[key]] = true
	case "cause.span":
		s.Attributes["operator.reconcile.cause.span_id"], s.Attributes["operator.reconcile.cause.trace_id"] = value, traceID
	case "kind", "ns":
		delete(s.Attributes, strings.TrimSuffix(full(key), "="))
		if value != "" {
			s.Attributes[strings.TrimSuffix(full(key), "=")] = value
		}
	default:
		s.Attributes[strings.TrimSuffix(full(key), "=")] = value
	}
}

func full(key string) string {
	if rest, found := strings.CutPrefix(key, "cause."); found {
		return "operator.reconcile.cause." + map[string]string{"kind": "kind", "name": "name", "ns": "namespace", "uid": "uid", "rv": "resource_version"}[rest]
	}
	return short.Replace(key + "=")
}

func blanks(text string) string { return strings.ReplaceAll(text, "~", " ") }

func at(tb testing.TB, text string) time.Time {
	tb.Helper()
	ms, err := strconv.ParseFloat(text, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return epoch.Add(time.Duration(ms * float64(time.Millisecond)))
}

// explained returns the explanation of a trace, after checks that hold for each one.
func explained(tb testing.TB, spans []spantree.Span) explain.Explanation {
	tb.Helper()
	e, err := explain.Of(spantree.Build(spans), explain.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	if err := check(e); err != nil {
		tb.Errorf("%v\n%s", err, pathOf(e))
	}
	return e
}

// check returns an error unless the segments follow each other and add up to the total.
func check(e explain.Explanation) error {
	at, unknown := time.Duration(0), time.Duration(0)
	for i, s := range e.Path {
		if s.Offset != at || s.Duration <= 0 {
			return fmt.Errorf("segment %d starts at %s and takes %s, want a start at %s", i, s.Offset, s.Duration, at)
		}
		if at += s.Duration; s.Reason == explain.ReasonUnknown {
			unknown += s.Duration
		}
	}
	if at != e.Total || unknown != e.Unknown {
		return fmt.Errorf("the segments add up to %s with %s unknown, want %s with %s", at, unknown, e.Total, e.Unknown)
	}
	for _, s := range e.Chain {
		if s.End < 0 {
			return fmt.Errorf("%s ends %s before the change", s.Name, -s.End)
		}
	}
	return nil
}

// pathOf prints a path, a line for each segment.
func pathOf(e explain.Explanation) string {
	var b strings.Builder
	for _, s := range e.Path {
		fmt.Fprintf(&b, "%s", s.Offset)
		for _, field := range []string{s.Duration.String(), s.Actor, s.Reason.String(), s.Object.String(), s.Detail} {
			if field != "" {
				b.WriteString("  " + field)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
