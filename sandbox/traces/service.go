package traces

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// operatorManager is the field manager of an operator that the sandbox built, unless the operator
// sets one: the name of its program.
const operatorManager = "operator"

// NameOperator replaces the service name of the observer's spans of the operator. By default it is
// the name of the program, which is the same for every operator that the sandbox builds. On a
// cluster of the user, several operators can have this name, so NameOperator changes nothing.
func (r *Reader) NameOperator(all ptrace.Traces) error {
	if r.session.Record.Cluster == component.Existing {
		return nil
	}
	subject, err := r.session.Subject()
	if err != nil {
		return err
	}
	for _, resource := range all.ResourceSpans().All() {
		if name, found := resource.Resource().Attributes().Get("service.name"); found && name.Str() == operatorManager {
			name.SetStr(subject.ServiceName)
		}
	}
	return nil
}
