package up

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/selftrace"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// chooseTracing decides whether the control plane takes part in the traces: as was asked for, or as it is.
func (r *Run) chooseTracing() {
	if r.ControlPlaneTracing != nil {
		r.tracingSwitched = r.Record.Name != "" && r.Record.ControlPlaneTracing != *r.ControlPlaneTracing
		r.Record.ControlPlaneTracing = *r.ControlPlaneTracing
	}
}

// sayNodeGoes tells the user of a kind cluster what switching does, before it does it: its node can't be changed.
func (r *Run) sayNodeGoes() {
	if r.tracingSwitched && r.Note != nil {
		r.Note("--control-plane-tracing=%t: kind's node is made anew for it, and what was in the cluster goes with the old one.", r.TracesControlPlane())
	}
}

// TracesControlPlane tells whether the control plane takes part in the traces. It is known once the kind of cluster is.
func (r *Run) TracesControlPlane() bool { return r.Record.ControlPlaneTracing }

// trustedWriters is the reference operator's variable for the users whose trace contexts it takes as they are.
const trustedWriters = "OPERATOR_TRUSTED_WRITERS"

// operatorEnv is the operator's environment. Where the control plane is traced, the reference operator continues the trace of who
// applies the sample, in place of a link to it; of everybody else it does not. An operator of somebody else's has
// other ways to be told.
func (r *Run) operatorEnv() map[string]string {
	env := variables(r.OperatorEnv)
	if _, set := env[trustedWriters]; set || !r.TracesControlPlane() || r.Record.File != "" {
		return env
	}
	env[trustedWriters] = strings.Join([]string{credentials.TracedAccount(r.manifests.Account()).User, workload.ApplierUser}, ",")
	return env
}

// certificate makes sure of a client's certificate in the sandbox's folder, under a name there.
func (r *Run) certificate(ctx context.Context, name string, client credentials.Client) (credentials.ClientPair, error) {
	admin, err := r.restConfig()
	if err != nil {
		return credentials.ClientPair{}, err
	}
	issuer, err := credentials.NewIssuer(admin)
	if err != nil {
		return credentials.ClientPair{}, err
	}
	pair, err := issuer.Certificate(ctx, filepath.Join(r.Dir.Clients(), name), client)
	return pair, state.Remedy(err)
}

// operatorClient is the certificate by which the operator's Pod is a caller whose traces count: the same user in the same groups as by
// its token, and in system:monitoring beside them. It is nil where the control plane is not traced.
func (r *Run) operatorClient(ctx context.Context) (*manifest.OperatorClient, error) {
	if !r.TracesControlPlane() {
		return nil, nil
	}
	pair, err := r.certificate(ctx, "operator", credentials.TracedAccount(r.manifests.Account()))
	if err != nil {
		return nil, fmt.Errorf("making the operator a caller whose traces count: %w", err)
	}
	client := &manifest.OperatorClient{Revision: pair.Fingerprint}
	if client.Certificate, err = os.ReadFile(pair.CertFile); err != nil {
		return nil, fmt.Errorf("reading the operator's certificate: %w", err)
	}
	if client.Key, err = os.ReadFile(pair.KeyFile); err != nil {
		return nil, fmt.Errorf("reading the key of the operator's certificate: %w", err)
	}
	admin, err := r.restConfig()
	if err != nil {
		return nil, err
	}
	client.CA = admin.CAData // It is one and the same for Pods and others.
	client.Server, err = workload.ServerForPods(ctx, r.target)
	return client, err
}

// applyTraced applies the sample as a user whose trace contexts the API server continues, each object that has to be written below
// a span of its own, and sends these spans. What is as it should be is not written and has no span.
func (r *Run) applyTraced(ctx context.Context, sample *manifest.Component) error {
	target, err := r.tracedTarget(ctx)
	if err != nil {
		return err
	}
	recorder := selftrace.NewRecorder()
	target.OnApply(func(ctx context.Context, obj *unstructured.Unstructured) (context.Context, func(error)) {
		return beginApply(ctx, recorder, obj)
	})
	// Looking at what is there is a part of this command's own trace, which the API server need not continue.
	untraced := trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	if err := sample.Apply(untraced, target); err != nil {
		return err
	}
	return recorder.Send(ctx, r.Addresses()[component.OTLPGRPC])
}

func beginApply(ctx context.Context, recorder *selftrace.Recorder, obj *unstructured.Unstructured) (context.Context, func(error)) {
	ctx, span := recorder.Start(ctx, "apply "+obj.GetKind(), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("k8s.namespace.name", obj.GetNamespace()),
		attribute.String("operator.object.kind", obj.GetKind()), attribute.String("operator.object.name", obj.GetName()),
	))
	return ctx, func(err error) {
		if err != nil {
			span.RecordError(err)
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

// tracedTarget is the API server as seen by that user, which it makes sure of.
func (r *Run) tracedTarget(ctx context.Context) (*apply.Cluster, error) {
	applier, err := manifest.Applier(r.target)
	if err != nil {
		return nil, err
	}
	if err := applier.Install(ctx, r.target); err != nil {
		return nil, err
	}
	pair, err := r.certificate(ctx, "apply", credentials.Client{User: workload.ApplierUser, Groups: []string{credentials.TracingGroup}})
	if err != nil {
		return nil, err
	}
	admin, err := r.restConfig()
	if err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(admin)
	config.CertFile, config.KeyFile = pair.CertFile, pair.KeyFile
	config.Wrap(propagated)
	return apply.NewCluster(config, *r.runs)
}

// untrace removes what tracedTarget made, where tracing was on before.
func (r *Run) untrace(ctx context.Context) error {
	for _, folder := range []string{r.Dir.Clients(), r.Dir.Tracing()} {
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("removing what the tracing of the control plane had: %w", state.Remedy(err))
		}
	}
	return manifest.WithoutApplier().Delete(ctx, r.target)
}

// propagated tells the API server of which span a request is.
func propagated(inner http.RoundTripper) http.RoundTripper { return propagator{inner} }

type propagator struct{ inner http.RoundTripper }

var _ transport.WrapperFunc = propagated

// RoundTrip implements http.RoundTripper.
func (p propagator) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context()) // A round tripper must not change the one that it was given.
	propagation.TraceContext{}.Inject(request.Context(), propagation.HeaderCarrier(request.Header))
	return p.inner.RoundTrip(request)
}
