package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
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
// becomes a link, the parent or nothing ([WithUntrustedContext]); a malformed one is logged once and
// replaced. Trusted writers' contexts ([WithTrustedWriters]) stay as they are. In a dry run the object
// gets a random context that is not sampled, and nothing is exported. The span means admitted, not
// stored: validation or a quota may still refuse the object.
//
// Errors are those of d, and nothing else denies a request. An error that says in the API's words what is
// wrong with the request (apierrors.NewForbidden, NewInvalid and others below 500) is a denial: the span has
// an event "denied" and no error. The request is that of the context ([admission.RequestFromContext]); a
// call without one, with a nil object, or about something else than the creation or update of a main
// resource, goes to d as it is. While tracing is off, d is called with nothing added. The wrapper is as
// safe for concurrent use as d.
func WrapDefaulter[T runtime.Object](d admission.Defaulter[T], opts ...Option) admission.Defaulter[T] {
	return &tracedDefaulter[T]{inner: d, cfg: newConfig(opts)}
}

// WebhookContext is for the webhook builder's WithContextFunc: it reads the trace context of the
// request's header, in which the API server says what it is doing, so that [WrapDefaulter] and
// [WrapAdmissionHandler] see it. A malformed one is ignored, as is each of several. A nil request, and any
// while tracing is off, leaves the context as it is. The function is safe for concurrent use.
func WebhookContext(opts ...Option) func(context.Context, *http.Request) context.Context {
	c := newConfig(opts)
	return func(ctx context.Context, r *http.Request) context.Context {
		if r == nil || c.off() {
			return ctx
		}
		return c.propagators.Extract(ctx, headerCarrier{propagation.HeaderCarrier(r.Header)})
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
	if err != nil || !isObject || isNil(o) || !admits(ctx, &req) {
		return d.callInner(ctx, obj)
	}
	a := newAdmission(ctx, d.cfg, req, o)
	values, err := a.run(func(ctx context.Context) error { return d.callInner(ctx, obj) })
	if values != nil {
		o.SetAnnotations(d.cfg.keys.put(o.GetAnnotations(), values))
	}
	return err
}

func (d *tracedDefaulter[T]) callInner(ctx context.Context, obj T) error {
	if d.inner == nil {
		return nil
	}
	return d.inner.Default(ctx, obj)
}
