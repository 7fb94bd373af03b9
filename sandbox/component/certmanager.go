package component

// CertManager issues the certificates of webhooks.
const CertManager = "cert-manager"

// Programs of cert-manager.
const (
	CertManagerController = "cert-manager-controller"
	CertManagerCAInjector = "cert-manager-cainjector"
	CertManagerWebhook    = "cert-manager-webhook"
)

// certManagerVersion is the tag of cert-manager's images and the version of its chart.
const certManagerVersion = "v1.21.2"

var certManager = Component{
	Name: CertManager, Version: certManagerVersion, DefinesKinds: true,
	Programs: []Program{certManagerProgram("controller"), certManagerProgram("cainjector"), certManagerProgram("webhook")},
	Images: []string{
		certManagerImage("controller", "70f532fd9cfde0b09d55687200942399d89838bc2d5d5b45152eb799a15912b8"),
		certManagerImage("cainjector", "c85268c64f2e0e76684bf5fe8906caff34b82523561c6affe0fae3546bd87562"),
		certManagerImage("webhook", "a60e2dac46dbb8a7f3df95c54ce941012f54c2fe022f0ee55aaa1ab40ed957ae"),
	},
}

// certManagerProgram is a program with the label of its Pods in cert-manager's chart.
func certManagerProgram(name string) Program {
	return Program{Name: CertManager + "-" + name, Binary: name, Labels: map[string]string{"app.kubernetes.io/component": name}}
}

func certManagerImage(program, digest string) string {
	return "quay.io/jetstack/cert-manager-" + program + ":" + certManagerVersion + "@sha256:" + digest
}
