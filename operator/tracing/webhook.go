package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// WrapDefaulter returns a defaulter that calls d and starts a trace for each change that a user
// makes. A change creates an object, or updates any of its fields outside metadata and status. Its
// span is "admit {Kind}" of kind SERVER and has ended when Default returns. The wrapper writes the
// span's context into the object's annotations and links the span to the object's last trace. The
// span means that the webhook admitted the object: validation or a quota may still reject it. If d
// is nil or a nil pointer, it sets no defaults.
//
// The wrapper answers every other request as d does, with one exception. If an untrusted user adds
// or changes tracing annotations without a change of the spec, the wrapper restores the old ones.
// Otherwise such a user could choose the trace of the next reconciles and whether they are sampled.
// An update that only removes tracing annotations passes, so that an operator that replaces all
// annotations does not loop.
//
// An untrusted context in the annotations or in the request's header ([WebhookContext]) becomes a
// link, the parent or nothing ([WithUntrustedContext]). A malformed context is logged once and
// replaced. The wrapper keeps the contexts of trusted writers ([WithTrustedWriters]). It answers
// requests of the operator's own user unchanged: they get a span only if they carry a context, as a
// child of it.
//
// One change is one trace, although the API server may call several webhooks for it: one per API
// version, a reinvoked one, or a replica in another process. The first webhook creates the span.
// Later ones keep its context. They have a span, a child of the first, only if they deny the
// object. A webhook recognizes the contexts of its own process for a minute, and the contexts of
// other processes by the object's managedFields, in which the API server lists the fields of the
// user's request. If the user sent an origin annotation too, the webhook of another process starts a
// new trace with a link.
//
// The comparison uses the object that d returns and the old object. If the API server drops the
// change after the webhook, for example because of another webhook, only the annotations are
// stored. In a dry run the object gets a random context that is not sampled, and no span is
// exported. An object whose annotations would exceed 256 KiB gets no context.
//
// Default returns the errors of d, and tracing never denies a request. An API status error below
// 500 with a reason, such as apierrors.NewForbidden, is a denial: the span has an event "denied"
// and no error. The request is read from the context ([admission.RequestFromContext]). The wrapper
// only calls d without a request, for a nil object, for any request except the creation or update
// of a main resource, and while tracing is off. If a defaulter is wrapped twice, the outer wrapper
// traces it. The wrapper is as safe for concurrent use as d.
func WrapDefaulter[T runtime.Object](d admission.Defaulter[T], opts ...Option) admission.Defaulter[T] {
	if isNil(d) {
		d = nil
	}
	return &tracedDefaulter[T]{inner: d, cfg: newConfig(opts)}
}

// WebhookContext returns a function for the webhook builder's WithContextFunc. The function reads
// the trace context from the header of the API server's request, so that [WrapDefaulter] and
// [WrapAdmissionHandler] can use it. It ignores a malformed header and a repeated traceparent. It
// returns the context unchanged for a nil request and while tracing is off. It is safe for
// concurrent use.
func WebhookContext(opts ...Option) func(context.Context, *http.Request) context.Context {
	c := newConfig(opts)
	return func(ctx context.Context, r *http.Request) context.Context {
		if ctx == nil || r == nil || c.off() {
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
	if ctx == nil || d.cfg.off() {
		return d.callInner(ctx, obj)
	}
	req, err := admission.RequestFromContext(ctx)
	o, isObject := any(obj).(client.Object)
	if err != nil || !isObject || isNil(o) || !admits(ctx, &req) {
		return d.callInner(ctx, obj)
	}
	a := newAdmission(ctx, d.cfg, req, o)
	if a == nil {
		return d.callInner(ctx, obj)
	}
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
