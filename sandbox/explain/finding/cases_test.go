package finding

import (
	"fmt"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

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
	}, want: []string{"missing-spans : 1 span with a missing parent [2]"}},
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
