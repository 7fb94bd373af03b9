package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// WrapDefaulter starts a trace when a user creates an object, or changes anything of it outside metadata
// and status, with a span "admit {Kind}" of kind SERVER that has ended when Default returns. The trace of
// a change is linked to the last one. Any other update keeps the context that the object has: keys that
// a user adds, changes or removes are put back. A nil d defaults nothing.
//
// A context that comes from outside, in the annotation or in the request's header ([WebhookContext]),
// becomes a link, the parent or nothing ([WithForeignContext]); a malformed one is logged once and
// replaced. Trusted writers' contexts ([WithTrustedWriters]) stay as they are. In a dry run the object
// gets a random context that is not sampled, and nothing is exported. The span means admitted, not
// stored: validation or a quota may still refuse the object.
//
// Errors are those of d, and nothing else denies a request. While tracing is off, d is called with
// nothing added. The wrapper is as safe for concurrent use as d.
func WrapDefaulter[T runtime.Object](d admission.Defaulter[T], opts ...Option) admission.Defaulter[T] {
	return &tracedDefaulter[T]{inner: d, cfg: newConfig(opts)}
}

// WebhookContext is for the webhook builder's WithContextFunc: it reads the trace context of the
// request's header, in which the API server says what it is doing, so that [WrapDefaulter] sees it.
func WebhookContext(opts ...Option) func(context.Context, *http.Request) context.Context {
	c := newConfig(opts)
	return func(ctx context.Context, r *http.Request) context.Context {
		if c.off() {
			return ctx
		}
		return c.propagators.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
}

type tracedDefaulter[T runtime.Object] struct {
	inner admission.Defaulter[T]
	cfg   *config
}

// Default implements admission.Defaulter.
func (d *tracedDefaulter[T]) Default(ctx context.Context, obj T) error {
	if d.cfg.off() {
		return d.callInner(ctx, obj)
	}
	req, err := admission.RequestFromContext(ctx)
	o, isObject := any(obj).(client.Object)
	if err != nil || !isObject || req.SubResource != "" {
		return d.callInner(ctx, obj)
	}
	switch req.Operation {
	case admissionv1.Create, admissionv1.Update:
	default:
		return d.callInner(ctx, obj)
	}
	a := newAdmission(ctx, d.cfg, req, o)
	return a.run(func(ctx context.Context) error { return d.callInner(ctx, obj) })
}

func (d *tracedDefaulter[T]) callInner(ctx context.Context, obj T) error {
	if d.inner == nil {
		return nil
	}
	return d.inner.Default(ctx, obj)
}

// run calls the inner defaulter and then decides what becomes of the context.
func (a *admissionRun) run(inner func(context.Context) error) error {
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
	a.settle(fresh, err)
	if span := a.span.finish(); span != nil {
		recordError(span, err, false)
		span.End()
	}
	return err
}

// innerContext lets spans that the inner defaulter starts be children of the admission's, or be
// unsampled in a dry run.
func (a *admissionRun) innerContext() context.Context {
	if a.dryRun {
		return withLogger(trace.ContextWithRemoteSpanContext(a.ctx, a.random))
	}
	return withLogger(trace.ContextWithSpan(a.ctx, &a.span))
}

// settle writes the context that the object shall have.
func (a *admissionRun) settle(fresh bool, err error) {
	var values map[string]string
	switch {
	case err != nil:
		return // the object is refused
	case a.keeps, !fresh && a.trusted:
		values = a.given
	case !fresh:
		values = a.old
	case a.dryRun:
		values = a.cfg.values(a.random, a.generation, a.start)
	default:
		values = a.cfg.values(a.span.SpanContext(), a.generation, a.start)
	}
	if before := a.obj.GetAnnotations(); values != nil {
		a.obj.SetAnnotations(a.cfg.keys.put(before, values))
	}
}
