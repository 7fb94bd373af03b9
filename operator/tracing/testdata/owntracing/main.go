// Command traced-operator has tracing of its own: it continues the trace that an annotation of its own names.
package main

import (
	"context"
	"flag"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const traceparent = "example.com/traceparent"

func main() {
	metricsAddr := flag.String("metrics-bind-address", "0", "`address` of the metrics; 0 switches them off")
	flag.Parse()
	log := zap.New()
	ctrl.SetLogger(log)
	if err := run(ctrl.SetupSignalHandler(), *metricsAddr); err != nil {
		log.Error(err, "Failed to run")
		os.Exit(1)
	}
}

func run(ctx context.Context, metricsAddr string) error {
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return err
	}
	tp := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	defer tp.Shutdown(context.WithoutCancel(ctx))
	otel.SetTracerProvider(tp)

	mgr, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{Metrics: metricsserver.Options{BindAddress: metricsAddr}})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(mgr).For(&appsv1.Deployment{}).Owns(&corev1.ConfigMap{}).Complete(&reconciler{mgr.GetClient()})
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

type reconciler struct{ client.Client }

// Reconcile creates a ConfigMap for each Deployment that is labelled.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var d appsv1.Deployment
	if err := r.Get(ctx, req.NamespacedName, &d); err != nil || d.Labels["example.com/traced"] == "" {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": d.Annotations[traceparent]})
	ctx, span := otel.Tracer("traced-operator").Start(ctx, "sync Deployment")
	defer span.End()

	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name}}
	if err := r.Get(ctx, client.ObjectKeyFromObject(cm), cm); client.IgnoreNotFound(err) != nil || err == nil {
		return ctrl.Result{}, err
	}
	if err := ctrl.SetControllerReference(&d, cm, r.Scheme()); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, client.IgnoreAlreadyExists(r.Create(ctx, cm))
}
