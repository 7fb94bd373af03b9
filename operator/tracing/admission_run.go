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

// admits reports whether a request is one that can start a trace: the creation or update of a main
// resource. A webhook that is wrapped twice answers it once.
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

// run calls the inner webhook and decides what becomes of the context: it gives the annotations that the
// object shall have for it, nil to leave those that it has. The error is the inner webhook's.
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

	fresh := err == nil && a.startsTrace()
	if (err != nil || fresh || a.admitsKept()) && !a.dryRun {
		a.span.ensure()
	}
	values := a.settle(fresh, err)
	if span := a.span.finish(); span != nil {
		recordRefusal(span, err)
		span.End()
	}
	return values, err
}

// innerContext lets spans that the inner webhook starts be children of the admission's, or be unsampled
// in a dry run.
func (a *admissionRun) innerContext() context.Context {
	if a.dryRun {
		return withLogger(trace.ContextWithRemoteSpanContext(a.ctx, a.random))
	}
	return withLogger(trace.ContextWithSpan(a.ctx, &a.span))
}

// settle gives the context that the object shall have.
func (a *admissionRun) settle(fresh bool, err error) map[string]string {
	switch {
	case err != nil:
		return nil // the object is refused
	case a.keeps, !fresh && a.trusted:
		return a.given
	case !fresh:
		return a.old
	case a.dryRun:
		return a.cfg.values(a.random, a.generation, a.start)
	default:
		return a.cfg.values(a.span.SpanContext(), a.generation, a.start)
	}
}

// outcomeDenied is the event of a request that the webhook does not let in. That is its work, and no error.
const outcomeDenied = "denied"

// recordRefusal notes why a request is not let in. A nil error notes nothing.
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

// denies tells a denial by policy from a webhook that could not do its work. A denial is forbidden, or says
// in the API's words what is wrong with the request; an error of the webhook has no more than a code.
func denies(s metav1.Status) bool {
	return s.Code < 400 || s.Code == 403 || s.Code < 500 && s.Reason != ""
}
