package component

// CertManager issues the certificates of webhooks. It is also the name of its namespace.
const CertManager = "cert-manager"

// Programs of cert-manager.
const (
	CertManagerController = "cert-manager-controller"
	CertManagerCAInjector = "cert-manager-cainjector"
	CertManagerWebhook    = "cert-manager-webhook"
)

// Ports of cert-manager's programs on an embedded cluster.
const (
	CertManagerHealth = "certManager"
	CertManagerHook   = "certManagerHook"
)

// Annotations of the Secrets that cert-manager creates, or may copy into webhooks.
const (
	CertificateName = "cert-manager.io/certificate-name"
	Injectable      = "cert-manager.io/allow-direct-injection"
)

// certManagerVersion is the tag of cert-manager's images and the version of its chart.
const certManagerVersion = "v1.21.2"

var certManager = Component{
	Name: CertManager, Version: certManagerVersion, Namespace: CertManager, DefinesKinds: true,
	Group: "cert-manager.io", Definition: "certificates.cert-manager.io",
	Programs: []Program{
		{
			Name: CertManagerController, Binary: "controller", Labels: certManagerLabels("controller"), Account: CertManager,
			Args: []string{
				"--v=2", "--leader-elect=false", "--leader-election-namespace=cert-manager", "--metrics-listen-address=0",
				"--cluster-resource-namespace=cert-manager", "--internal-healthz-listen-address=127.0.0.1:${certManager}",
			},
			Listens: []Listener{{Name: CertManagerHealth}}, Answers: "http://127.0.0.1:${certManager}/livez",
		},
		{
			Name: CertManagerCAInjector, Binary: "cainjector", Labels: certManagerLabels("cainjector"), Account: CertManagerCAInjector,
			Args: []string{"--v=2", "--leader-elect=false", "--leader-election-namespace=cert-manager", "--metrics-listen-address=0"},
		},
		{
			Name: CertManagerWebhook, Binary: "webhook", Labels: certManagerLabels("webhook"), Account: CertManagerWebhook,
			// It has no option for an address, so it accepts only the API server.
			Args: []string{
				"--v=2", "--secure-port=${certManagerHook}", "--healthz-port=0",
				"--dynamic-serving-ca-secret-namespace=cert-manager", "--dynamic-serving-ca-secret-name=cert-manager-webhook-ca",
				"--dynamic-serving-dns-names=localhost", "--metrics-listen-address=0",
				"--enable-client-verification", "--client-ca-path=${webhookClientCA}", "--client-subject-names=" + APIServer,
			},
			Listens: []Listener{{Name: CertManagerHook, Webhook: true, Everywhere: true}}, Answers: "tls://localhost:${certManagerHook}",
		},
	},
	Images: []string{
		certManagerImage("controller", "70f532fd9cfde0b09d55687200942399d89838bc2d5d5b45152eb799a15912b8"),
		certManagerImage("cainjector", "c85268c64f2e0e76684bf5fe8906caff34b82523561c6affe0fae3546bd87562"),
		certManagerImage("webhook", "a60e2dac46dbb8a7f3df95c54ce941012f54c2fe022f0ee55aaa1ab40ed957ae"),
	},
	Source: Source{
		Module: "sandbox/source/certmanager", Package: ".", Output: "sandbox", User: "1000",
		Stamp: "github.com/cert-manager/cert-manager/pkg/util.AppVersion=" + certManagerVersion,
	},
	Chart: &Chart{Module: "github.com/cert-manager/cert-manager", Folder: "deploy/charts/cert-manager", Values: certManagerValues},
}

func certManagerLabels(program string) map[string]string {
	return map[string]string{"app.kubernetes.io/component": program}
}

func certManagerImage(program, digest string) string {
	return "quay.io/jetstack/cert-manager-" + program + ":" + certManagerVersion + "@sha256:" + digest
}

// certManagerValues returns the chart's values that differ from its defaults. The chart runs the
// images as non-root without a user, so they must name a numeric user.
func certManagerValues(o ChartOptions) map[string]any {
	cainjector := map[string]any{"extraArgs": []any{"--leader-elect=false"}}
	webhook := map[string]any{
		// The defaults delay every start by 5 s.
		"readinessProbe": map[string]any{"initialDelaySeconds": 0, "periodSeconds": 1},
	}
	controller := map[string]any{
		// No Helm release owns the definitions.
		"creator":    "static",
		"crds":       map[string]any{"enabled": true},
		"prometheus": map[string]any{"enabled": false},
		// The sandbox's own check does the same without an image and a Pod.
		"startupapicheck": map[string]any{"enabled": false},
		"global":          map[string]any{"leaderElection": map[string]any{"namespace": CertManager}},
		// There is one replica each. The lease of a killed leader would block its successor for a
		// minute.
		"extraArgs":  []any{"--leader-elect=false"},
		"cainjector": cainjector, "webhook": webhook,
	}
	if o.WebhookAddress != "" {
		// The chart also adds this as a DNS name to the serving certificate, with the port, but only in
		// the Deployment.
		webhook["url"] = map[string]any{"host": o.WebhookAddress}
	}
	for i, values := range []map[string]any{controller, cainjector, webhook} {
		if len(o.Tolerations) > 0 {
			values["tolerations"] = o.Tolerations
		}
		if i < len(o.Images) && o.Images[i] != nil {
			values["image"] = o.Images[i]
		}
	}
	return controller
}
