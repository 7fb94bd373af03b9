package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

// Status examines the sandbox. Unreachable parts are described in the result. An error means that
// the sandbox could not be examined.
func (s *Sandbox) Status(ctx context.Context) (provider.Status, error) {
	status := provider.Status{Name: s.Name, State: provider.StateDown}
	err := s.Attach()
	if errors.Is(err, session.ErrDown) {
		status.Message = session.ErrDown.Error()
		return status, nil
	}
	status.OperatorEnv, status.ControlPlaneTracing = s.Record.OperatorEnv, s.TracesControlPlane()
	if err != nil {
		return status, err
	}
	err = s.cluster.Status(ctx, &status)
	return status, err
}

// LogParts returns the logs that a name of the command line selects; see [provider.LogsNamed].
func (s *Sandbox) LogParts(name string) ([]string, error) {
	return provider.LogsNamed(s.Record.Cluster, name)
}

// Logs copies a log to out; see [provider.Provider].
func (s *Sandbox) Logs(ctx context.Context, out io.Writer, name string, o provider.LogOptions) error {
	if o.Previous && o.Follow {
		return fmt.Errorf("%w: what --previous shows has ended: --follow makes no sense", provider.ErrLogOption)
	}
	return s.cluster.Logs(ctx, out, name, o)
}
