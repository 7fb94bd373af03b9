package tracing

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/trace"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// admits reports whether a request can start a trace: it creates or updates a main resource. If a
// webhook is wrapped twice, only the outer wrapper handles the request.
func admits(ctx context.Context, req *admission.Request) bool {
	if req.SubResource != "" || req.Operation != admissionv1.Create && req.Operation != admissionv1.Update {
		return false
	}
	outer, ok := trace.SpanFromContext(ctx).(*lazySpan)
	if !ok {
		return true
	}
	_, wrapped := outer.owner.(*admissionRun)
	return !wrapped
}

// run calls the inner webhook. It returns the tracing annotations that the object must have, or nil
// to leave the inner webhook's answer unchanged. The error is the inner webhook's.
func (a *admissionRun) run(inner func(context.Context) error) (map[string]string, error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		value := recover()
		if !a.dryRun {
			a.span.ensure()
			span := a.span.finish()
			recordPanic(span, value)
			span.End()
		}
		if value != nil {
			panic(value)
		}
	}()
	err := inner(a.innerContext())
	returned = true

	changed := err == nil && a.changesSpec()
	if (err != nil || changed && !a.repeated) && !a.dryRun {
		a.span.ensure()
	}
	var values map[string]string
	if err == nil {
		values = a.annotations(changed)
	}
	if span := a.span.finish(); span != nil {
		recordRefusal(span, err)
		span.End()
	}
	return values, err
}

// innerContext makes the admission's span the parent of spans that the inner webhook starts. In a
// dry run they are not sampled.
func (a *admissionRun) innerContext() context.Context {
	if a.dryRun {
		return withLogger(trace.ContextWithRemoteSpanContext(a.ctx, a.random))
	}
	return withLogger(trace.ContextWithSpan(a.ctx, &a.span))
}

// annotations returns the tracing annotations that an admitted object must have, or nil to leave
// the answer unchanged.
func (a *admissionRun) annotations(changed bool) map[string]string {
	switch {
	case changed && !a.keeps && !a.own:
		sc := a.random
		if !a.dryRun {
			sc = a.span.SpanContext()
		}
		seen.add(a.seenAs(sc), a.start)
		return a.cfg.values(sc, a.generation, a.start)
	case !changed && a.writesKeys() && (!a.trusted || a.repeated):
		// If an earlier webhook added the context, a later webhook reverted the change. Otherwise
		// an untrusted user must not choose the parent of the object's next reconciles, and whether
		// they are sampled, by an update that the webhook would not trace.
		return a.old
	default:
		return nil
	}
}

// outcomeDenied is the event for a request that the webhook denies. A denial is not an error.
const outcomeDenied = "denied"

// recordRefusal records why a request is not allowed. It records nothing for a nil error.
func recordRefusal(span trace.Span, err error) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !denies(status.Status()) {
		recordError(span, err, false)
		return
	}
	var opts []trace.EventOption
	if message := status.Status().Message; message != "" {
		opts = append(opts, trace.WithAttributes(AdmissionMessageKey.String(message)))
	}
	span.AddEvent(outcomeDenied, opts...)
}

// denies distinguishes a denial from a webhook that failed. A denial has code 403, or a code below
// 500 with a reason. A failure has only a code.
func denies(s metav1.Status) bool {
	return s.Code < 400 || s.Code == 403 || s.Code < 500 && s.Reason != ""
}
