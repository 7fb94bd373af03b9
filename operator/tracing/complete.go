package tracing

import (
	"errors"
	"reflect"

	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Complete completes b with r wrapped by [WrapReconciler], and observes the controller's queue and
// triggers with a [QueueObserver]. It is for controllers of managers that [WrapManager] does not
// wrap. obj is an empty object of the kind in b's For. Use [WithScheme] as for WrapReconciler.
//
// Complete keeps the builder's options. It does not observe the queue if they contain a queue, a
// rate limiter, a reconciler or a logger, because it cannot read these values from the builder. It
// then logs one line; use [QueueObserver.Options] instead. Triggers are known for For and Owns, and
// for Watches with handlers from [WrapEventHandler].
//
// Complete returns the builder's errors, also for a nil r, and an error for a nil b. It must be
// called only once for each builder.
func Complete(b *builder.Builder, obj client.Object, r reconcile.Reconciler, opts ...Option) error {
	if b == nil {
		return errors.New("completing a controller: the builder is nil")
	}
	q := NewQueueObserver(obj, opts...)
	options, ok := builderOptions(b)
	if !ok {
		log.Log.WithName("tracing").Info("Not traced", "reason", "queue: the builder has options that cannot be kept; use QueueObserver.Options")
		return b.Complete(WrapReconciler(obj, r, opts...))
	}
	return b.WithOptions(q.Options(options)).WithEventFilter(q.Predicate()).
		Complete(WrapReconciler(obj, r, append(opts[:len(opts):len(opts)], WithQueueObserver(q))...))
}

// builderOptions returns a copy of the options of b. It returns false if they contain an interface,
// a function or a logger: reflection cannot read such a value from an unexported field.
func builderOptions(b *builder.Builder) (out controller.Options, ok bool) {
	defer func() {
		if recover() != nil {
			out, ok = controller.Options{}, false
		}
	}()
	v := reflect.ValueOf(b).Elem().FieldByName("ctrlOptions")
	if v.Type() != reflect.TypeFor[controller.Options]() {
		return out, false
	}
	to := reflect.ValueOf(&out).Elem()
	for i := range v.NumField() {
		from := v.Field(i)
		switch {
		case from.IsZero():
		case from.CanInt():
			to.Field(i).SetInt(from.Int())
		case from.Kind() == reflect.Pointer && from.Type().Elem().Kind() == reflect.Bool:
			to.Field(i).Set(reflect.ValueOf(new(from.Elem().Bool())))
		default:
			return controller.Options{}, false
		}
	}
	return out, true
}
