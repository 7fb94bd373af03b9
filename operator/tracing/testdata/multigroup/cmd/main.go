// Command manager runs the operator of shops.
package main

import (
	"flag"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	deskv1 "example.com/shop-operator/api/desk/v1"
	shopv1 "example.com/shop-operator/api/shop/v1"
	storagev1 "example.com/shop-operator/api/storage/v1"
	"example.com/shop-operator/internal/controller/desk"
	"example.com/shop-operator/internal/controller/shop"
	"example.com/shop-operator/internal/controller/storage"
	webhookshopv1 "example.com/shop-operator/internal/webhook/shop/v1"
	webhookstoragev1 "example.com/shop-operator/internal/webhook/storage/v1"
)

var (
	scheme   = runtime.NewScheme()
	setupLog = ctrl.Log.WithName("setup")
)

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(shopv1.AddToScheme(scheme))
	utilruntime.Must(storagev1.AddToScheme(scheme))
	utilruntime.Must(deskv1.AddToScheme(scheme))
}

func main() {
	var metricsAddr string
	var hooks webhook.Options
	flag.StringVar(&metricsAddr, "metrics-bind-address", "0", "`address` of the metrics; 0 switches them off")
	flag.StringVar(&hooks.CertDir, "webhook-cert-path", "", "`folder` of the webhooks' certificate")
	flag.IntVar(&hooks.Port, "webhook-port", 9443, "`port` of the webhooks")
	flag.Parse()
	ctrl.SetLogger(zap.New())

	mgr, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		Scheme:        scheme,
		Metrics:       metricsserver.Options{BindAddress: metricsAddr},
		WebhookServer: webhook.NewServer(hooks),
	})
	if err != nil {
		setupLog.Error(err, "Failed to make the manager")
		os.Exit(1)
	}
	for name, setup := range map[string]func(ctrl.Manager) error{
		"store controller":  (&shop.StoreReconciler{Client: mgr.GetClient()}).SetupWithManager,
		"shelf controller":  (&storage.ShelfReconciler{Client: mgr.GetClient()}).SetupWithManager,
		"ticket controller": (&desk.TicketReconciler{Client: mgr.GetClient()}).SetupWithManager,
		"store webhook":     webhookshopv1.SetupStoreWebhookWithManager,
		"shelf webhook":     webhookstoragev1.SetupShelfWebhookWithManager,
	} {
		if err := setup(mgr); err != nil {
			setupLog.Error(err, "Failed to set up", "part", name)
			os.Exit(1)
		}
	}
	setupLog.Info("Starting the manager")
	if err := mgr.Start(ctrl.SetupSignalHandler()); err != nil {
		setupLog.Error(err, "Failed to run the manager")
		os.Exit(1)
	}
}
