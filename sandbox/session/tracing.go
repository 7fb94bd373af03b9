package session

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/pki"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// ChooseTracing sets whether the control plane is traced: as in the options, or as it is.
func (s *Session) ChooseTracing() {
	if s.Observe != nil {
		s.Record.NotObserved = !*s.Observe
	}
	if s.ControlPlaneTracing != nil {
		s.TracingSwitched = s.Record.Name != "" && s.Record.ControlPlaneTracing != *s.ControlPlaneTracing
		s.Record.ControlPlaneTracing = *s.ControlPlaneTracing
	}
}

// HasObserver reports whether the sandbox has an observer. It has none if spans go to a Jaeger of the
// user: this machine may not reach the endpoint.
func (s *Session) HasObserver() bool {
	return !s.Record.NotObserved && s.Record.Target.JaegerEndpoint == ""
}

// IsObserved reports whether the observer has sent the spans of all writes up to a resourceVersion. It
// is true if the sandbox has no observer.
func (s *Session) IsObserved(revision string) bool {
	if !s.HasObserver() {
		return true
	}
	data, err := input.ReadOwn(s.Dir.Observed())
	if err != nil {
		return false
	}
	sent, err := strconv.ParseUint(string(data), 10, 64)
	want, wrong := strconv.ParseUint(revision, 10, 64)
	return wrong != nil || err == nil && sent >= want
}

// TracesControlPlane reports whether the control plane is traced, after ChooseTracing.
func (s *Session) TracesControlPlane() bool { return s.Record.ControlPlaneTracing }

// trustedWriters is the variable of the reference operator for users whose trace contexts it trusts.
const trustedWriters = "OPERATOR_TRUSTED_WRITERS"

// OperatorEnvironment returns the operator's variables. The reference operator trusts the user that
// applies the sample: it continues this trace instead of linking to it. Other operators have their own
// settings for that.
func (s *Session) OperatorEnvironment() map[string]string {
	env := Variables(s.OperatorEnv)
	switch {
	case !s.trustsApplier():
	case s.TracesControlPlane():
		env[trustedWriters] = strings.Join([]string{credentials.TracedAccount(s.Manifests.Account()).User, workload.ApplierUser}, ",")
	default:
		env[trustedWriters] = workload.ApplierUser
	}
	return env
}

// trustsApplier reports whether the operator trusts [workload.ApplierUser]. On a cluster of the user
// the sandbox has the user's own name.
func (s *Session) trustsApplier() bool {
	_, set := Variables(s.OperatorEnv)[trustedWriters]
	return !set && s.Record.File == "" && !s.shared
}

// certificate makes sure of a client's certificate in the sandbox's folder, under a name there.
func (s *Session) certificate(ctx context.Context, name string, client credentials.Client) (*pki.Pair, error) {
	admin, err := s.connect()
	if err != nil {
		return nil, err
	}
	issuer, err := credentials.NewIssuer(admin)
	if err != nil {
		return nil, err
	}
	pair, err := issuer.Certificate(ctx, filepath.Join(s.Dir.Clients(), name), client)
	return pair, state.Remedy(err)
}

// OperatorClient is the certificate by which the operator's Pod is a caller whose traces count: the same user in the same groups as by
// its token, and in system:monitoring beside them. It is nil where the control plane is not traced.
func (s *Session) OperatorClient(ctx context.Context) (*manifest.OperatorClient, error) {
	if !s.TracesControlPlane() {
		return nil, nil
	}
	pair, err := s.certificate(ctx, "operator", credentials.TracedAccount(s.Manifests.Account()))
	if err != nil {
		return nil, fmt.Errorf("making the operator a caller whose traces count: %w", err)
	}
	client := &manifest.OperatorClient{Certificate: pair.Certificate, Key: pair.Key, Revision: pair.Fingerprint()}
	admin, err := s.connect()
	if err != nil {
		return nil, err
	}
	client.CA = admin.CAData // It is one and the same for Pods and others.
	target, err := s.Target()
	if err != nil {
		return nil, err
	}
	client.Server, err = workload.ServerForPods(ctx, target)
	return client, err
}

// tracedTarget is the API server as seen by that user, which it makes sure of.
func (s *Session) tracedTarget(ctx context.Context) (*apply.Cluster, error) {
	target, err := s.Target()
	if err != nil {
		return nil, err
	}
	applier, err := manifest.Applier(target)
	if err != nil {
		return nil, err
	}
	if err := applier.Install(ctx, target, nil); err != nil {
		return nil, err
	}
	pair, err := s.certificate(ctx, "apply", credentials.Client{User: workload.ApplierUser, Groups: []string{credentials.TracingGroup}})
	if err != nil {
		return nil, err
	}
	admin, err := s.connect()
	if err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(admin)
	config.CertFile, config.KeyFile = pair.CertFile, pair.KeyFile
	config.Wrap(func(inner http.RoundTripper) http.RoundTripper { return propagator{inner} })
	return apply.NewCluster(config, *s.subject)
}

// Untrace removes what tracedTarget made, where tracing was on before.
func (s *Session) Untrace(ctx context.Context) error {
	for _, folder := range []string{s.Dir.Clients(), s.Dir.Tracing()} {
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("removing what the tracing of the control plane had: %w", state.Remedy(err))
		}
	}
	target, err := s.Target()
	if err != nil {
		return err
	}
	return manifest.WithoutApplier().Delete(ctx, target)
}

// propagator tells the API server of which span a request is.
type propagator struct{ inner http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p propagator) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context()) // A round tripper must not change the one that it was given.
	propagation.TraceContext{}.Inject(request.Context(), propagation.HeaderCarrier(request.Header))
	return p.inner.RoundTrip(request)
}

// Variables returns NAME=VALUE pairs as a map.
func Variables(list []string) map[string]string {
	env := map[string]string{}
	for _, variable := range list {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	return env
}
