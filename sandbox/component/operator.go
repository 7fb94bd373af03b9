package component

// Operator is the operator of the user. It is also the name of its program.
const Operator = "operator"

var operator = Component{
	Name: Operator, Programs: []Program{{Name: Operator}}, DefinesKinds: true,
	// An Issuer that is created before the webhook of cert-manager answers is retried only after five
	// seconds.
	Needs: []string{ControlPlane, CertManager, Jaeger},
}
