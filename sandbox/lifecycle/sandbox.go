// Package lifecycle creates, repairs, examines and deletes a sandbox. It knows the components only
// by their table and the clusters only by [provider.Cluster].
package lifecycle

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/traces"
)

type report = session.Report

// Sandbox is one sandbox. A command opens it, uses it, and closes it.
type Sandbox struct {
	*session.Session
	*traces.Reader

	providers map[string]Factory
	// kind and cluster are set by Attach, ChooseCluster and AttachToLoad.
	kind    string
	cluster provider.Cluster
}

// Open opens the sandbox that the options name; see [session.Open]. It connects to nothing.
func Open(options session.Options) (*Sandbox, error) {
	s, err := session.Open(options)
	if err != nil {
		return nil, err
	}
	return New(s, Providers()), nil
}

// New returns the sandbox of a session on clusters of the providers.
func New(s *session.Session, providers map[string]Factory) *Sandbox {
	sandbox := &Sandbox{Session: s, providers: providers}
	sandbox.Reader = traces.NewReader(s, func() (provider.Access, error) {
		if sandbox.cluster == nil {
			return nil, session.ErrDown
		}
		return sandbox.cluster, nil
	})
	s.SampleLost, s.Receiver = sandbox.Reader.SampleLost, sandbox.receiver
	return sandbox
}

// receiver returns the address of the sandbox's Jaeger for OTLP over gRPC; "" if there is none.
func (s *Sandbox) receiver(ctx context.Context) (string, error) {
	if s.Record.Target.JaegerEndpoint != "" { // The user's own Jaeger receives only the operator's spans.
		return "", nil
	}
	if err := s.Reach(ctx); err != nil {
		return "", err
	}
	return s.Addresses()[component.OTLPGRPC], nil
}

// Attach connects to the cluster that an earlier up created. The error is session.ErrDown if there
// is none.
func (s *Sandbox) Attach() error {
	if s.Record.Name == "" {
		return session.ErrDown
	}
	kind := s.Record.Cluster
	factory, known := s.providers[kind]
	if !known {
		return fmt.Errorf("attaching to the sandbox %s: this version knows no clusters of the kind %q; use the version that created it", s.Name, kind)
	}
	cluster, err := factory.Attach(s.Session)
	if err == nil {
		s.use(kind, cluster)
	}
	return err
}

// use replaces the cluster, whose forwarded ports nothing else would close.
func (s *Sandbox) use(kind string, cluster provider.Cluster) {
	s.Close()
	s.kind, s.cluster = kind, cluster
}

// Kind returns the kind of the cluster; empty before Attach and ChooseCluster.
func (s *Sandbox) Kind() string { return s.kind }

// Existing reports whether the cluster is one of the user.
func (s *Sandbox) Existing() bool { return s.kind == component.Existing }

// Prepare is the first step of a plan; see [provider.Provider].
func (s *Sandbox) Prepare(ctx context.Context, report report) error {
	gate := companion.GateOf(s.Session)
	if !s.Ports.SatisfiedBy(s.Record.Ports) { // Its port may be chosen again.
		if err := gate.Stop(ctx); err != nil {
			return err
		}
	}
	if s.Record.JaegerPassword == "" {
		s.Record.JaegerPassword = rand.Text() // The provider saves it.
	}
	if err := s.cluster.Prepare(ctx, report); err != nil {
		return err
	}
	return gate.Reserve(ctx)
}

// Fetch returns a step's function; see [provider.Provider].
func (s *Sandbox) Fetch(c component.Component) func(context.Context, report) error {
	return func(ctx context.Context, report report) error { return s.cluster.Fetch(ctx, c, report) }
}

// Deliver returns a step's function; see [provider.Provider].
func (s *Sandbox) Deliver(c component.Component) func(context.Context, report) error {
	return func(ctx context.Context, report report) error { return s.cluster.Deliver(ctx, c, report) }
}

// Start returns a step's function; see [provider.Provider].
func (s *Sandbox) Start(c component.Component) func(context.Context, report) error {
	return func(ctx context.Context, report report) error {
		if c.Name == component.Sample {
			return s.startSample(ctx, report)
		}
		if err := s.cluster.Start(ctx, c, report); err != nil || c.Name != component.Jaeger {
			return err
		}
		return companion.GateOf(s.Session).Start(ctx)
	}
}

// Observe is the step that starts the observer; see package companion.
func (s *Sandbox) Observe(ctx context.Context, report report) error {
	return companion.Of(s.Session).Start(ctx, report)
}

// Gated returns the stages of the control plane, if the provider has stages.
func (s *Sandbox) Gated() (provider.Gated, bool) {
	gated, ok := s.cluster.(provider.Gated)
	return gated, ok
}

// Addresses returns the ports that are reachable now.
func (s *Sandbox) Addresses() provider.Addresses {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.Addresses()
}

// Reach makes the ports reachable until Close; see [provider.Access].
func (s *Sandbox) Reach(ctx context.Context) error { return s.cluster.Reach(ctx) }

// Close ends what the sandbox holds open. It can be called several times.
func (s *Sandbox) Close() {
	if s.cluster != nil {
		s.cluster.Close()
	}
}

// Changes lists what up will change in a cluster of the user for the first time, one line each. It
// is empty on other clusters.
func (s *Sandbox) Changes() []string {
	if c, ok := s.cluster.(provider.Consenting); ok {
		return c.Changes()
	}
	return nil
}

// Where names a cluster of the user; empty for others.
func (s *Sandbox) Where() string {
	if c, ok := s.cluster.(provider.Consenting); ok {
		return c.Where()
	}
	return ""
}

// Losses lists objects of others that Down would delete from a cluster of the user.
func (s *Sandbox) Losses(ctx context.Context) ([]string, error) {
	if err := s.Attach(); errors.Is(err, session.ErrDown) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if c, ok := s.cluster.(provider.Consenting); ok {
		return c.Losses(ctx)
	}
	return nil, nil
}
