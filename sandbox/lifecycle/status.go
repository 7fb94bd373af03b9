package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

// Status examines the sandbox. Unreachable parts are described in the result. An error means that
// the sandbox could not be examined.
func (s *Sandbox) Status(ctx context.Context) (provider.Status, error) {
	status := provider.Status{Name: s.Name, State: provider.StateDown, Busy: s.Dir.Holder()}
	err := s.Attach()
	if errors.Is(err, session.ErrDown) {
		if status.Message = session.ErrDown.Error(); status.Busy != "" {
			status.Message = "the sandbox is not up" + status.Remedy()
		}
		return status, nil
	}
	status.OperatorEnv, status.ControlPlaneTracing = s.Record.OperatorEnv, s.TracesControlPlane()
	if err != nil {
		return status, err
	}
	if err := s.cluster.Status(ctx, &status); err != nil {
		return status, err
	}
	for i := range status.Components {
		if c := &status.Components[i]; c.Name == component.Jaeger {
			if err := companion.GateOf(s.Session).Describe(c); err != nil {
				return status, err
			}
		}
	}
	if o := companion.Of(s.Session); o.Wanted() {
		shown, err := o.Status()
		if err != nil {
			return status, err
		}
		status.Components = append(status.Components, shown)
		if status.State != provider.StateDown && len(status.Components) > 1 {
			status.Judge()
		}
	}
	return status, nil
}

// LogParts returns the logs that a name of the command line selects; see [provider.LogsNamed].
func (s *Sandbox) LogParts(name string) ([]string, error) {
	switch parts, err := provider.LogsNamed(s.Record.Cluster, name); {
	case name == companion.Name || name == companion.GateName:
		return []string{name}, nil
	case name == "" && companion.Of(s.Session).Wanted():
		return append(parts, companion.Name), err
	default:
		return parts, err
	}
}

// Logs copies a log to out; see [provider.Provider].
func (s *Sandbox) Logs(ctx context.Context, out io.Writer, name string, o provider.LogOptions) error {
	if o.Previous && o.Follow {
		return fmt.Errorf("%w: what --previous shows has ended: --follow makes no sense", provider.ErrLogOption)
	}
	if name == companion.Name {
		return companion.Of(s.Session).Logs(ctx, out, o)
	}
	if name == companion.GateName {
		return companion.GateOf(s.Session).Logs(ctx, out, o)
	}
	return s.cluster.Logs(ctx, out, name, o)
}
