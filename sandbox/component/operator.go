package component

// Operator is the operator of the user. It is also the name of its program.
const Operator = "operator"

// Ports of the operator on an embedded cluster.
const (
	OperatorHook   = "operatorHook"
	OperatorHealth = "operatorHealth"
)

var operator = Component{
	Name: Operator, DefinesKinds: true,
	Programs: []Program{{Name: Operator, Listens: []Listener{{Name: OperatorHook, Webhook: true}, {Name: OperatorHealth}}}},
	// An Issuer that is created before the webhook of its controller answers is retried only after five
	// seconds.
	Needs: []string{ControlPlane, CertManager, Jaeger},
}
