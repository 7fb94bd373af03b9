package explain_test

import (
	"fmt"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain"
)

// The example of the package documentation.
func ExampleOf() {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	span := func(id, parent, service, kind, name string, start, end int, attributes map[string]any) spantree.Span {
		return spantree.Span{
			TraceID: "01", SpanID: id, ParentSpanID: parent, Service: service, Kind: kind, Name: name,
			Start: begin.Add(time.Duration(start) * time.Millisecond), End: begin.Add(time.Duration(end) * time.Millisecond), Attributes: attributes,
		}
	}
	ready := span("6", "5", "operator", "CLIENT", "update_status Head", 930, 940, map[string]any{"operator.object.kind": "Head", "operator.object.name": "web"})
	ready.Events = []spantree.Event{{Name: "Ready: False→True", Time: ready.End}}
	forest := spantree.Build([]spantree.Span{
		span("1", "", "operator", "SERVER", "admit Head", 0, 2, map[string]any{"operator.object.kind": "Head", "operator.object.name": "web"}),
		span("2", "1", "operator", "CONSUMER", "reconcile Head", 5, 20, map[string]any{
			"operator.object.kind": "Head", "operator.object.name": "web", "operator.reconcile.queue_wait": 0.001, "operator.reconcile.trigger": "create Head",
		}),
		span("3", "2", "operator", "PRODUCER", "create Deployment", 8, 18, map[string]any{
			"operator.object.kind": "Deployment", "operator.object.name": "web", "operator.object.uid": "d", "operator.write.resource_version": "7",
		}),
		span("4", "3", "deployment-controller", "INTERNAL", "update_status Deployment", 19, 919, map[string]any{
			"operator.observed": true, "operator.object.kind": "Deployment", "operator.object.name": "web", "operator.object.uid": "d",
			"operator.write.resource_version": "8", "operator.reconcile.cause.uid": "d", "operator.reconcile.cause.resource_version": "7",
		}),
		span("5", "1", "operator", "CONSUMER", "reconcile Head", 925, 945, map[string]any{
			"operator.object.kind": "Head", "operator.object.name": "web", "operator.reconcile.queue_wait": 0.002, "operator.reconcile.trigger": "update Deployment",
			"operator.reconcile.cause.kind": "Deployment", "operator.reconcile.cause.name": "web", "operator.reconcile.cause.uid": "d", "operator.reconcile.cause.resource_version": "8",
		}),
		ready,
	})
	explanation, err := explain.Of(forest, explain.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(explanation.Object, explanation.Condition, explanation.Total)
	for _, s := range explanation.Path {
		fmt.Println(s.Offset, s.Duration, s.Reason, "by", s.Actor)
	}
	// Output:
	// Head web Ready 940ms
	// 0s 2ms webhook by operator
	// 2ms 2ms watch latency by operator
	// 4ms 1ms queue by operator
	// 5ms 3ms own code by operator
	// 8ms 10ms API write by operator
	// 18ms 1ms watch latency by deployment-controller
	// 19ms 900ms reaction by deployment-controller
	// 919ms 4ms watch latency by operator
	// 923ms 2ms queue by operator
	// 925ms 5ms own code by operator
	// 930ms 10ms API write by operator
}
