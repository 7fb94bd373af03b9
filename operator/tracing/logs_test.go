package tracing

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

func TestLogLinesCarryIDs(t *testing.T) {
	sc := sampledContext(1)
	for name, tc := range map[string]struct {
		owner *appsv1.Deployment
		early string // the ids before the span starts
	}{
		"child":      {deployment("owner", carries(sc, 0)), sc.TraceID().String()},
		"stale":      {deployment("owner", carries(sc, 5*time.Hour)), ""},
		"no context": {deployment("owner"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var logged logLines
			tp := tracingtest.NewTracerProvider()
			c := WrapClient(newFakeServer(t, tc.owner), WithTracerProvider(tp))
			r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
				l := log.FromContext(ctx).WithValues("a", "b").WithName("name")
				l.Info("before the read")
				if err := c.Get(ctx, req.NamespacedName, &appsv1.Deployment{}); err != nil {
					return reconcile.Result{}, err
				}
				l.Info("before the span")
				if tp.Unended() != 0 {
					t.Error("a log line started the span")
				}
				err := c.Create(ctx, configMap("child"))
				l.Info("after the write")
				Logger(ctx).Info("by hand")
				return reconcile.Result{}, err
			}), WithTracerProvider(tp))
			if _, err := r.Reconcile(log.IntoContext(t.Context(), logged.logger()), requestFor(tc.owner)); err != nil {
				t.Fatal(err)
			}
			span := spanNamed(t, tp.Spans(), "reconcile Deployment").Context
			late := `"trace_id"="` + span.TraceID().String() + `" "span_id"="` + span.SpanID().String() + `"`
			if strings.Contains(logged.lines[0], "trace_id") {
				t.Errorf("logged %s before the read, want no ids", logged.lines[0])
			}
			wantEarly := tc.early != ""
			if got := strings.Contains(logged.lines[1], `"trace_id"="`+tc.early+`"`); got != wantEarly || strings.Contains(logged.lines[1], "span_id") {
				t.Errorf("logged %s before the span, want trace id %q and no span id", logged.lines[1], tc.early)
			}
			for _, line := range logged.lines[2:4] {
				if strings.Count(line, late) != 1 {
					t.Errorf("logged %s, want %s once", line, late)
				}
			}
		})
	}
}

func TestLoggerOfUsersSpan(t *testing.T) {
	var logged logLines
	tp := tracingtest.NewTracerProvider()
	server := newFakeServer(t, deployment("owner"))
	c := WrapClient(server, WithTracerProvider(tp))
	var want string
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		ctx, span := tp.Tracer("user").Start(ctx, "step")
		defer span.End()
		want = span.SpanContext().SpanID().String()
		Logger(ctx).Info("in the step")
		return reconcile.Result{}, client.IgnoreNotFound(c.Get(ctx, req.NamespacedName, &appsv1.Deployment{}))
	}), WithTracerProvider(tp))
	if _, err := r.Reconcile(log.IntoContext(t.Context(), logged.logger()), requestFor(deployment("owner"))); err != nil {
		t.Fatal(err)
	}
	if line := logged.lines[0]; strings.Count(line, `"span_id"="`+want+`"`) != 1 || strings.Count(line, "span_id") != 1 {
		t.Errorf("logged %s, want the step's span id %s and no other", line, want)
	}
}
