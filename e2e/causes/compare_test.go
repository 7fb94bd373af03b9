package causes

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// started is the start of each reconcile, in nanoseconds.
const started = 1000

func TestCompare(t *testing.T) {
	t.Parallel()
	child := writes.Object{Kind: "ChildA", Name: "a"}
	caused := func(after, cause uint64) *writes.Write {
		return &writes.Write{Object: child, Verb: "update_status", Manager: "operator", After: after,
			Cause: writes.Cause{Certainty: writes.Owner, Revision: cause, At: time.Unix(0, started+1)}}
	}
	at := func(w *writes.Write, nanosecond int64) *writes.Write {
		w.Cause.At = time.Unix(0, nanosecond)
		return w
	}
	for name, test := range map[string]struct {
		write *writes.Write
		// made is the resourceVersion of the operator's write, and cause the one of its reconcile's
		// cause.
		made, cause string
		want        Result
	}{
		"equal":              {caused(20, 10), "20", "10", Result{Equal: 1}},
		"newer":              {caused(20, 11), "20", "10", Result{Misses: []Miss{{Class: Newer}}}},
		"newer by a digit":   {caused(20, 10), "20", "9", Result{Misses: []Miss{{Class: Newer}}}},
		"older":              {caused(20, 9), "20", "10", Result{Misses: []Miss{{Class: Older}}}},
		"merged":             {at(caused(20, 11), started), "20", "10", Result{Merged: 1}},
		"after the start":    {at(caused(20, 11), started+1), "20", "10", Result{Misses: []Miss{{Class: Newer}}}},
		"before the trigger": {at(caused(20, 9), started), "20", "10", Result{Misses: []Miss{{Class: Older}}}},
		"its own write":      {caused(20, 9), "20", "5", Result{Misses: []Miss{{Class: Echo}}}},
		"no cause":           {caused(20, 0), "20", "10", Result{Misses: []Miss{{Class: None}}}},
		"not seen":           {caused(21, 10), "20", "10", Result{Misses: []Miss{{Class: Unseen}}}},
		"no recorded cause":  {caused(20, 10), "20", "", Result{Unrecorded: 1}},
		"a delete":           {&writes.Write{Object: child, Verb: writes.VerbDelete, Cause: caused(20, 10).Cause}, "delete", "10", Result{Equal: 1}},
		"the last finalizer": {&writes.Write{Object: child, Verb: writes.VerbRemove, Cause: caused(20, 10).Cause}, "remove_finalizer", "10", Result{Equal: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.write.Cause.Revision == 0 {
				test.write.Cause = writes.Cause{}
			}
			earlier := reconcileOf(1, "4", "5") // Its write has no observed counterpart, and is not compared here.
			all := recorded(tracetree.FromOTLP(earlier))
			all = append(all, recorded(tracetree.FromOTLP(reconcileOf(2, test.cause, test.made)))...)
			got := compare([]*writes.Write{caused(5, 4), test.write}, all)
			got.Equal-- // The earlier write.
			for i := range got.Misses {
				got.Misses[i] = Miss{Class: got.Misses[i].Class}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("compare (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompareIncomplete(t *testing.T) {
	t.Parallel()
	r := &Recording{writes: []*writes.Write{{Object: writes.Object{Namespace: "a"}, Manager: "operator", After: 5}, {Object: writes.Object{Namespace: "b"}, Manager: "operator", After: 6}}}
	if _, err := r.Compare("a", "operator", nil); err == nil {
		t.Error("Compare = nil without the span of a write")
	}
	if _, err := r.Compare("a", "operator", tracetree.FromOTLP(reconcileOf(1, "4", "5"))); err != nil {
		t.Errorf("Compare = %v", err)
	}
}

// reconcileOf returns a reconcile of one object with a write: made is its verb, or the resourceVersion
// of an update_status.
func reconcileOf(id byte, cause, made string) ptrace.Traces {
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	add := func(span byte, name string, attributes map[string]string) ptrace.Span {
		s := spans.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{id})
		s.SetSpanID(pcommon.SpanID{id, span})
		s.SetName(name)
		for _, key := range slices.Sorted(maps.Keys(attributes)) {
			if attributes[key] != "" {
				s.Attributes().PutStr(key, attributes[key])
			}
		}
		return s
	}
	reconcile := add(1, "reconcile ChildA", map[string]string{"operator.object.uid": "uid", "operator.reconcile.cause.resource_version": cause})
	reconcile.SetStartTimestamp(started)
	reconcile.Attributes().PutInt("operator.reconcile.events", 2)
	attributes := map[string]string{"operator.object.kind": "ChildA", "operator.object.name": "a"}
	verb := made
	if made[0] >= '0' && made[0] <= '9' {
		attributes["operator.write.resource_version"] = made
		verb = "update_status"
	}
	add(2, verb+" ChildA", attributes).SetParentSpanID(pcommon.SpanID{id, 1})
	return traces
}
