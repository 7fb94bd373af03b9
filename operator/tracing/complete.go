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

// Complete completes b with r wrapped by [WrapReconciler], and with the controller's queue and triggers observed by a
// [QueueObserver]. It is for controllers of managers that are not wrapped by [WrapManager]; obj is an empty object of
// the kind that b's For names. Use [WithScheme] as for WrapReconciler.
//
// The builder's options stay, except that a queue is not observed if they have a queue, a rate limiter, a
// reconciler or a logger of their own: their values cannot be read from the builder. One line is logged
// then; use [QueueObserver.Options] instead. Triggers are known for For and Owns, and for Watches with
// handlers that are wrapped by [WrapEventHandler].
//
// Errors are the builder's. A nil b is an error, and a nil r is the builder's error. It must not be called twice for one builder.
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

// builderOptions returns a copy of the options that b has. It returns false if one of them is set that
// reflection cannot read from a field that is not exported: an interface, a function or a logger.
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
