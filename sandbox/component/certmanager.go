package component

// CertManager issues the certificates of webhooks.
const CertManager = "cert-manager"

// Programs of cert-manager.
const (
	CertManagerController = "cert-manager-controller"
	CertManagerCAInjector = "cert-manager-cainjector"
	CertManagerWebhook    = "cert-manager-webhook"
)

var certManager = Component{
	Name:     CertManager, DefinesKinds: true,
	Programs: []Program{certManagerProgram("controller"), certManagerProgram("cainjector"), certManagerProgram("webhook")},
}

// certManagerProgram is a program with the label of its Pods in cert-manager's chart.
func certManagerProgram(name string) Program {
	return Program{Name: CertManager + "-" + name, Binary: name, Labels: map[string]string{"app.kubernetes.io/component": name}}
}
