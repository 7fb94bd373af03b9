package spantree_test

import (
	"fmt"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// work returns a span of package operator/tracing.
func work(id, parent, name, kind string, attributes map[string]any, events ...string) spantree.Span {
	s := spantree.Span{TraceID: "1", SpanID: id, ParentSpanID: parent, Name: name, Kind: kind, Service: "cache", Attributes: map[string]any{"operator.object.kind": "Cache"}}
	for key, value := range attributes {
		s.Attributes[key] = value
	}
	for _, e := range events {
		s.Events = append(s.Events, spantree.Event{Name: e})
	}
	return s
}

func TestRole(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		span    spantree.Span
		want    spantree.Role
		changed bool
	}{
		"no attributes":     {spantree.Span{Name: "reconcile Cache", Kind: spantree.KindConsumer}, "", false},
		"reconcile":         {work("a", "", "reconcile Cache", spantree.KindConsumer, nil), spantree.RoleReconcile, false},
		"webhook":           {work("a", "", "admit Cache", spantree.KindServer, nil), spantree.RoleWebhook, false},
		"converge":          {work("a", "", "converge Cache", spantree.KindInternal, nil), "", false},
		"get":               {work("a", "", "get Cache", spantree.KindClient, nil), spantree.RoleRead, false},
		"get_scale":         {work("a", "", "get_scale Cache", spantree.KindClient, nil), spantree.RoleRead, false},
		"create":            {work("a", "", "create Cache", spantree.KindProducer, nil), spantree.RoleWrite, true},
		"update":            {work("a", "", "update Cache", spantree.KindClient, nil), spantree.RoleWrite, true},
		"unchanged":         {work("a", "", "update Cache", spantree.KindClient, map[string]any{"operator.write.unchanged": true}), spantree.RoleWrite, false},
		"conflict":          {work("a", "", "update Cache", spantree.KindClient, nil, "conflict"), spantree.RoleWrite, false},
		"delete of nothing": {work("a", "", "delete Cache", spantree.KindClient, nil, "not_found"), spantree.RoleWrite, false},
		"observed":          {work("a", "", "update Cache", spantree.KindInternal, map[string]any{"operator.observed": true}), spantree.RoleObserved, false},
		"observed, by text": {work("a", "", "update Cache", spantree.KindClient, map[string]any{"operator.observed": "yes"}), spantree.RoleWrite, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.span.Role(); got != tc.want {
				t.Errorf("Role() = %q, want %q", got, tc.want)
			}
			if got := tc.span.Changed(); got != tc.changed {
				t.Errorf("Changed() = %t, want %t", got, tc.changed)
			}
		})
	}
}

func ExampleForest_Counts() {
	forest := spantree.Build([]spantree.Span{
		work("u", "", "apply Cache", spantree.KindClient, nil), // The user.
		work("a", "u", "reconcile Cache", spantree.KindConsumer, nil, "stale_read", "stale_read"),
		work("b", "a", "create Deployment", spantree.KindProducer, nil),
		work("c", "a", "update_status Cache", spantree.KindClient, nil, "conflict"),
		work("d", "", "reconcile Cache", spantree.KindConsumer, map[string]any{"operator.reconcile.requeue_reason": "conflict"}),
		work("e", "d", "update_status Cache", spantree.KindClient, map[string]any{"operator.write.unchanged": true}),
		work("f", "b", "create ReplicaSet", spantree.KindInternal, map[string]any{"operator.observed": true}),
	})
	counts := forest.Counts("cache")
	for _, name := range spantree.AllCounts() {
		if counts[name] > 0 {
			fmt.Print(name, "=", counts[name], " ")
		}
	}
	// Output: reconciles=2 useful=1 requeues=1 writes=3 unchanged=1 conflicts=1 stale_reads=2 spans=7 observed=1
}
