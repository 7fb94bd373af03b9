package finding

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

var begin = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// builder adds spans, each a millisecond long, a millisecond after the one before.
type builder struct {
	spans []spantree.Span
	at    time.Time
}

type attributes map[string]any

// add adds a span "{verb} {kind}" of an object with the name web. Parent -1 makes it a root.
func (b *builder) add(parent int, action, kind, spanKind string, more attributes, events ...string) int {
	if b.at.IsZero() {
		b.at = begin
	}
	s := spantree.Span{
		TraceID: "1", SpanID: fmt.Sprintf("%x", len(b.spans)+1), Name: action + " " + kind, Kind: spanKind, Service: "cache-operator", Start: b.at, End: b.at.Add(time.Millisecond),
		Attributes: attributes{"operator.object.kind": kind, "k8s.namespace.name": "default", "operator.object.name": "web"},
	}
	if parent >= 0 {
		s.ParentSpanID = b.spans[parent].SpanID
	}
	maps.Copy(s.Attributes, more)
	for _, e := range events {
		s.Events = append(s.Events, spantree.Event{Name: e, Time: b.at})
	}
	b.spans = append(b.spans, s)
	b.at = b.at.Add(time.Millisecond)
	return len(b.spans) - 1
}

func (b *builder) wait(d time.Duration) { b.at = b.at.Add(d) }

func (b *builder) reconcile(parent int, more attributes, events ...string) int {
	return b.add(parent, "reconcile", "Cache", spantree.KindConsumer, more, events...)
}

func (b *builder) write(parent int, action, kind string, more attributes, events ...string) int {
	return b.add(parent, action, kind, spantree.KindClient, more, events...)
}

func (b *builder) fail(span int, message string) {
	b.spans[span].Status = spantree.Status{Code: spantree.StatusError, Message: message}
}

// causedBy returns the attributes of a reconcile that a write of the Cache itself triggered.
func (b *builder) causedBy(write int) attributes {
	cause := b.spans[write]
	return attributes{
		"operator.reconcile.cause.kind": cause.Attributes["operator.object.kind"], "operator.reconcile.cause.namespace": "default", "operator.reconcile.cause.name": "web",
		"operator.reconcile.cause.span_id": cause.SpanID, "operator.reconcile.cause.trace_id": cause.TraceID,
	}
}

var unchanged = attributes{"operator.write.unchanged": true}

func staleRead(b *builder, reconcile int, kind string) {
	s := &b.spans[reconcile]
	s.Events = append(s.Events, spantree.Event{Name: "stale_read", Time: b.at, Attributes: attributes{
		"operator.object.kind": kind, "k8s.namespace.name": "default", "operator.object.name": "web",
	}})
}

// chain adds reconciles that each are triggered by the status write of the one before.
func chain(b *builder, n int, events ...string) {
	r := b.reconcile(-1, nil)
	for range n {
		w := b.write(r, "update_status", "Cache", nil, events...)
		r = b.reconcile(-1, b.causedBy(w))
	}
}

// repeat adds reconciles, each a pause after the one before.
func repeat(b *builder, n int, pause time.Duration, more attributes, each func(b *builder, i, r int)) {
	for i := range n {
		r := b.reconcile(-1, more)
		if each != nil {
			each(b, i, r)
		}
		b.wait(pause)
	}
}

func named(i int) attributes { return attributes{"operator.object.name": fmt.Sprintf("web-%d", i)} }

var requeue = attributes{"operator.reconcile.requeue_reason": "requeue", "operator.reconcile.trigger": "requeue"}

var tests = []struct {
	name    string
	build   func(*builder)
	options Options
	want    []string // ID, object and summary
}{
	{name: "no spans", build: func(*builder) {}},
	{name: "a healthy change", build: func(b *builder) {
		root := b.add(-1, "admit", "Cache", spantree.KindServer, nil)
		r := b.reconcile(root, nil)
		b.write(r, "create", "Deployment", nil)
		b.write(r, "update_status", "Cache", nil, "Ready: none→False")
		r = b.reconcile(root, nil)
		b.write(r, "update_status", "Cache", nil, "Ready: False→True")
	}},
	{name: "an own write triggers a reconcile without effect", build: func(b *builder) {
		w := b.write(b.reconcile(-1, nil), "update_status", "Cache", nil)
		b.write(b.reconcile(-1, b.causedBy(w)), "update_status", "Cache", unchanged)
	}, want: []string{"self-triggered-reconcile Cache default/web: 1 reconcile without effect, triggered by the operator's own writes of the object [2 3]"}},
	{name: "an own write triggers a useful reconcile", build: func(b *builder) {
		w := b.write(b.reconcile(-1, nil), "add_finalizer", "Cache", nil)
		b.write(b.reconcile(-1, b.causedBy(w)), "create", "Deployment", nil)
	}},
	{name: "an own write triggers repeated applies", build: func(b *builder) {
		w := b.write(b.reconcile(-1, nil), "update_status", "Cache", nil)
		r := b.reconcile(-1, b.causedBy(w))
		b.write(r, "apply", "Deployment", unchanged)
		b.write(r, "apply", "Deployment", unchanged)
	}},
	{name: "other events came with the own write", build: func(b *builder) {
		w := b.write(b.reconcile(-1, nil), "update_status", "Cache", nil)
		cause := b.causedBy(w)
		cause["operator.reconcile.events"] = int64(2)
		b.write(b.reconcile(-1, cause), "update_status", "Cache", unchanged)
	}},
	{name: "an own write of a dependent triggers a reconcile without effect", build: func(b *builder) {
		w := b.write(b.reconcile(-1, nil), "create", "Deployment", nil)
		b.write(b.reconcile(-1, b.causedBy(w)), "update_status", "Cache", unchanged)
	}},
	{name: "one unchanged write", build: func(b *builder) { b.write(b.reconcile(-1, nil), "update", "Deployment", unchanged) }},
	{name: "unchanged writes of several objects", build: func(b *builder) {
		r := b.reconcile(-1, nil)
		b.write(r, "update", "Deployment", unchanged)
		b.write(r, "update", "Service", unchanged)
	}},
	{name: "two unchanged writes", build: func(b *builder) {
		repeat(b, 2, 0, nil, func(b *builder, _, r int) { b.write(r, "update", "Deployment", unchanged) })
	}, want: []string{"unchanged-write Deployment default/web: 2 × update Deployment changed nothing [2 4]"}},
	{name: "a stale read, then a conflict", build: func(b *builder) {
		r := b.reconcile(-1, nil)
		b.write(r, "update_status", "Cache", nil)
		staleRead(b, r, "Cache")
		b.write(r, "update_status", "Cache", nil, "conflict")
	}, want: []string{"stale-read-conflict Cache default/web: 1 write after a stale read ended in a conflict [1 3]"}},
	{name: "a conflict", build: func(b *builder) { b.write(b.reconcile(-1, nil), "update_status", "Cache", nil, "conflict") }},
	{name: "a stale read of another object", build: func(b *builder) {
		r := b.reconcile(-1, nil)
		staleRead(b, r, "Deployment")
		b.write(r, "update_status", "Cache", nil, "conflict")
	}},
	{name: "a stale read after the conflict", build: func(b *builder) {
		r := b.reconcile(-1, nil)
		b.write(r, "update_status", "Cache", nil, "conflict")
		staleRead(b, r, "Cache")
	}},
	{name: "a second create", build: func(b *builder) {
		b.write(b.reconcile(-1, nil), "create", "Deployment", nil)
		b.write(b.reconcile(-1, nil, "already_exists"), "create", "Deployment", nil, "already_exists")
	}, want: []string{"duplicate-create Deployment default/web: 1 more create of an object that the operator had created [2 4]"}},
	{name: "a tolerated second create", build: func(b *builder) {
		b.write(b.reconcile(-1, nil), "create", "Deployment", nil)
		b.write(b.reconcile(-1, nil), "create", "Deployment", nil, "already_exists")
	}},
	{name: "two tolerated creates", build: func(b *builder) {
		b.write(b.reconcile(-1, nil), "create", "Deployment", nil)
		repeat(b, 2, 0, nil, func(b *builder, _, r int) { b.write(r, "create", "Deployment", nil, "already_exists") })
	}, want: []string{"duplicate-create Deployment default/web: 2 more creates of an object that the operator had created [2 4 6]"}},
	{name: "a create of the object of another", build: func(b *builder) {
		b.write(b.reconcile(-1, nil), "create", "Deployment", nil, "already_exists")
	}},
	{name: "a create while the deleted object is there", build: func(b *builder) {
		r := b.reconcile(-1, nil)
		b.write(r, "create", "Deployment", nil)
		b.write(r, "delete", "Deployment", nil)
		b.write(r, "create", "Deployment", nil, "already_exists")
	}},
	{name: "ten own writes without progress", build: func(b *builder) { chain(b, 10) },
		want: []string{"hot-loop Cache default/web: 10 reconciles in a row triggered by the operator's own writes, without progress, in 21ms [1 3 5 7 9 b d f 11 13 15]"}},
	{name: "nine own writes without progress", build: func(b *builder) { chain(b, 9) }},
	{name: "ten own writes with progress", build: func(b *builder) { chain(b, 10, "Ready: False→True") }},
	{name: "ten quick requeues", build: func(b *builder) {
		b.reconcile(-1, nil)
		repeat(b, 10, 500*time.Millisecond, requeue, nil)
	}, want: []string{"requeue-storm Cache default/web: 10 reconciles in a row that an earlier reconcile asked for, in 4.511s [1 2 3 4 5 6 7 8 9 a b]"}},
	{name: "ten slow requeues", build: func(b *builder) {
		b.reconcile(-1, nil)
		repeat(b, 10, 5*time.Second, requeue, nil)
	}},
	{name: "the same error", build: func(b *builder) {
		repeat(b, 5, time.Second, nil, func(b *builder, _, r int) { b.fail(r, "no quota") })
	}, want: []string{"constant-error Cache default/web: 5 reconciles in a row failed with the same error, in 4.005s: no quota [1 2 3 4 5]"}},
	{name: "the same error for a moment", build: func(b *builder) {
		repeat(b, 5, 100*time.Millisecond, nil, func(b *builder, _, r int) { b.fail(r, "no quota") })
	}},
	{name: "different errors", build: func(b *builder) {
		repeat(b, 5, time.Second, nil, func(b *builder, i, r int) { b.fail(r, fmt.Sprint(i)) })
	}},
	{name: "errors with a success between", build: func(b *builder) {
		repeat(b, 9, time.Second, nil, func(b *builder, i, r int) {
			if i != 4 {
				b.fail(r, "no quota")
			}
		})
	}},
	{name: "conflicts for ever", build: func(b *builder) {
		repeat(b, 5, time.Second, nil, func(b *builder, _, r int) { b.spans[r].Events = []spantree.Event{{Name: "conflict"}} })
	}, want: []string{"constant-error Cache default/web: 5 reconciles in a row failed with the same error, in 4.005s: conflict [1 2 3 4 5]"}},
	{name: "a slow webhook", build: func(b *builder) {
		b.spans[b.add(-1, "admit", "Cache", spantree.KindServer, nil)].End = begin.Add(1500 * time.Millisecond)
	}, want: []string{"slow-webhook Cache default/web: the webhook took 1.5s, with a budget of 1s [1]"}},
	{name: "a webhook within another budget", options: Options{WebhookBudget: 2 * time.Second}, build: func(b *builder) {
		b.spans[b.add(-1, "admit", "Cache", spantree.KindServer, nil)].End = begin.Add(1500 * time.Millisecond)
	}},
	{name: "never ready", build: func(b *builder) {
		b.write(b.reconcile(-1, nil), "update_status", "Cache", nil, "Ready: none→False", "Available: none→True")
	}, want: []string{"not-converged Cache default/web: the condition Ready is False at the end of the trace [2]"}},
	{name: "not ready any more", build: func(b *builder) {
		b.write(b.reconcile(-1, nil), "update_status", "Cache", nil, "Ready: none→True")
		b.write(b.reconcile(-1, nil), "update_status", "Cache", nil, "Ready: True→False")
	}, want: []string{"not-converged Cache default/web: the condition Ready is False at the end of the trace [4]"}},
	{name: "a dependent is never ready", build: func(b *builder) {
		r := b.reconcile(-1, nil)
		b.write(r, "update_status", "Deployment", nil, "Available: none→False")
		b.write(r, "update_status", "Cache", nil, "Ready: none→True")
	}},
	{name: "not ready yet", options: Options{Now: begin.Add(30 * time.Second)}, build: func(b *builder) {
		b.write(b.reconcile(-1, nil), "update_status", "Cache", nil, "Ready: none→False")
	}},
	{name: "not ready, and deleted", build: func(b *builder) {
		b.write(b.reconcile(-1, nil), "update_status", "Cache", nil, "Ready: none→False")
		b.write(b.reconcile(-1, nil), "remove_finalizer", "Cache", nil)
	}},
	{name: "another object in each reconcile", build: func(b *builder) {
		repeat(b, 20, time.Minute, nil, func(b *builder, i, r int) { b.write(r, "create", "Secret", named(i)) })
	}, want: []string{"unbounded-growth Cache default/web: 20 reconciles each created another Secret, and none was deleted [2 4 6 8 a c e 10 12 14 16 18 1a 1c 1e 20 22 24 26 28]"}},
	{name: "many objects in one reconcile", build: func(b *builder) {
		r := b.reconcile(-1, nil)
		for i := range 50 {
			b.write(r, "create", "Secret", named(i))
		}
	}},
	{name: "old objects are deleted", build: func(b *builder) {
		repeat(b, 30, time.Minute, nil, func(b *builder, i, r int) {
			b.write(r, "create", "Secret", named(i))
			b.write(r, "delete", "Secret", named(i-1))
		})
	}},
	{name: "a heartbeat in the status", build: func(b *builder) {
		b.write(b.reconcile(-1, nil), "update_status", "Cache", nil, "Ready: none→True")
		repeat(b, 20, time.Minute, requeue, func(b *builder, _, r int) { b.write(r, "update_status", "Cache", nil) })
	}, want: []string{"unbounded-growth Cache default/web: 20 writes of the status after the object was ready, without a change of a condition " +
		"[4 6 8 a c e 10 12 14 16 18 1a 1c 1e 20 22 24 26 28 2a]"}},
	{name: "replicas become ready one by one", build: func(b *builder) {
		b.write(b.reconcile(-1, nil), "update_status", "Cache", nil, "Ready: none→True")
		repeat(b, 50, time.Millisecond, nil, func(b *builder, _, r int) { b.write(r, "update_status", "Cache", nil) })
	}},
	{name: "a missing parent", build: func(b *builder) {
		r := b.reconcile(-1, nil)
		b.spans[b.write(r, "create", "Deployment", nil)].ParentSpanID = "ffff"
	}, want: []string{"missing-spans : 1 span without its parent [2]"}},
	{name: "a missing parent in a part of a trace", options: Options{Incomplete: true}, build: func(b *builder) {
		b.spans[b.write(b.reconcile(-1, nil), "create", "Deployment", nil)].ParentSpanID = "ffff"
	}},
	{name: "a missing cause, and dropped reads", build: func(b *builder) {
		b.reconcile(-1, attributes{"operator.reconcile.cause.span_id": "ffff", "operator.reconcile.spans_dropped": int64(3)})
	}, want: []string{"missing-spans : 1 span without the write that triggered it, 1 span with more reads than a reconcile may have [1]"}},
	{name: "a cause in another trace", build: func(b *builder) {
		b.reconcile(-1, attributes{"operator.reconcile.cause.span_id": "ffff", "operator.reconcile.cause.trace_id": "2"})
	}},
}

// lines returns the findings as in the tests.
func lines(found []Finding) []string {
	var out []string
	for _, f := range found {
		var ids []string
		for _, e := range f.Evidence {
			ids = append(ids, e.SpanID)
		}
		out = append(out, fmt.Sprintf("%s %s: %s [%s]", f.ID, f.Object, f.Summary, strings.Join(ids, " ")))
	}
	return out
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := &builder{}
			tc.build(b)
			if diff := cmp.Diff(tc.want, lines(Find(spantree.Build(b.spans), tc.options))); diff != "" {
				t.Errorf("Find (-want +got):\n%s", diff)
			}
		})
	}
	if got := Find(nil, Options{}); got != nil {
		t.Errorf("Find(nil) = %v, want nil", got)
	}
}

// TestEvidenceIsBounded: a finding lists at most MaxEvidence spans and counts the others.
func TestEvidenceIsBounded(t *testing.T) {
	t.Parallel()
	b := &builder{}
	chain(b, 100)
	found := Find(spantree.Build(b.spans), Options{})
	if len(found) != 1 || len(found[0].Evidence) != MaxEvidence || found[0].More != 101-MaxEvidence {
		t.Errorf("Find = %+v, want one finding with %d spans and %d more", found, MaxEvidence, 101-MaxEvidence)
	}
}

// TestDetectors: each detector has a test above, two lines of explanation, and a section in the
// document.
func TestDetectors(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../../docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range Detectors() {
		if strings.Count(d.Explanation, "\n") != 1 || d.Title == "" {
			t.Errorf("%s: title %q, explanation %q; want two lines", d.ID, d.Title, d.Explanation)
		}
		if !strings.Contains(string(document), "\n## "+d.ID+"\n") {
			t.Errorf("docs/findings.md has no section %s", d.ID)
		}
		tested := false
		for _, tc := range tests {
			for _, want := range tc.want {
				tested = tested || strings.HasPrefix(want, d.ID+" ")
			}
		}
		if !tested {
			t.Errorf("no test finds %s", d.ID)
		}
	}
}

// TestHealthyTraces: the recorded trace of the documentation, and a trace with one span for each line of
// the trees that the end-to-end tests expect, have no finding.
func TestHealthyTraces(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../docs/trace.json")
	if err != nil {
		t.Fatal(err)
	}
	traces, err := tracetree.ReadOTLP("trace.json", data)
	if err != nil {
		t.Fatal(err)
	}
	if got := Find(traces[0].Forest(), Options{}); got != nil {
		t.Errorf("docs/trace.json: Find = %v, want none", lines(got))
	}
	files, err := filepath.Glob("../../../e2e/testdata/*.tree")
	if err != nil || len(files) < 10 {
		t.Fatalf("Glob = %d files, %v, want the trees of e2e", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := spantree.Parse(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		s := &sketch{}
		s.add("", "", tree.Roots)
		if got := Find(spantree.Build(s.spans), Options{}); got != nil {
			t.Errorf("%s: Find = %v, want none", filepath.Base(file), lines(got))
		}
	}
}

// sketch has a span for each line of expected trees.
type sketch struct{ spans []spantree.Span }

func (s *sketch) add(parent, service string, expected []*spantree.Expected) {
	for _, line := range expected {
		if line.Service != "" {
			service = line.Service
		}
		span := spantree.Span{
			TraceID: "1", SpanID: fmt.Sprintf("%x", len(s.spans)+1), ParentSpanID: parent, Name: line.Name, Kind: line.Kind, Service: service,
			Start: begin.Add(time.Duration(len(s.spans)) * time.Millisecond), Attributes: map[string]any{},
		}
		for _, c := range line.Conditions {
			switch {
			case c.Subject == spantree.SubjectAttribute && c.Operator == spantree.Equals:
				span.Attributes[c.Key] = c.Value
			case c.Subject == spantree.SubjectEvent && c.Operator == spantree.Equals:
				span.Events = append(span.Events, spantree.Event{Name: c.Value, Time: span.Start})
			}
		}
		s.spans = append(s.spans, span)
		s.add(span.SpanID, service, line.Children)
	}
}
