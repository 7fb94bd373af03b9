// Command service-operator creates a Service for each Deployment with the annotation
// example.com/port. It does not use the builder.
package main

import (
	"flag"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"example.com/service-operator/services"
)

func main() {
	metricsAddr := flag.String("metrics-bind-address", "0", "`address` of the metrics; 0 switches them off")
	flag.Parse()
	log := zap.New()
	ctrl.SetLogger(log)

	mgr, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{Metrics: metricsserver.Options{BindAddress: *metricsAddr}})
	if err != nil {
		log.Error(err, "Failed to make the manager")
		os.Exit(1)
	}
	ctx := ctrl.SetupSignalHandler()
	if err := services.Add(ctx, mgr); err != nil {
		log.Error(err, "Failed to add the controller")
		os.Exit(1)
	}
	if err := mgr.Start(ctx); err != nil {
		log.Error(err, "Failed to run the manager")
		os.Exit(1)
	}
}
