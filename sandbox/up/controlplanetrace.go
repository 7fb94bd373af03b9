package up

import (
	"context"
	"errors"
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

	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/install"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/selftrace"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// errTracingOnKind is the answer to a wish that kind can't fulfil.
var errTracingOnKind = errors.New("--control-plane-tracing: only an embedded cluster has it, use --cluster=embedded with it; a kind cluster of this name must be taken down first (`sandbox down`)")

// chooseTracing decides whether the control plane takes part in the traces: as was asked for, or as it is.
func (r *Run) chooseTracing() {
	if r.ControlPlaneTracing != nil {
		r.Record.ControlPlaneTracing = *r.ControlPlaneTracing
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
	p, err := r.manifests.Process(project.Place{})
	if err != nil {
		return env // The operator's own step says so.
	}
	env[trustedWriters] = strings.Join([]string{credentials.TracedAccount(p.Namespace, p.Account).User, install.ApplierUser}, ",")
	return env
}

// clientFolder has the certificate of who applies the sample.
func (r *Run) clientFolder() string { return r.Dir.Clients() }

// applyTraced applies the sample as a user whose trace contexts the API server continues, each object that has to be written below
// a span of its own, and sends these spans. What is as it should be is not written and has no span.
func (r *Run) applyTraced(ctx context.Context, sample *install.Component) error {
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
	return recorder.Send(ctx, r.Addresses().OTLPGRPC)
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
func (r *Run) tracedTarget(ctx context.Context) (*install.Cluster, error) {
	applier, err := install.Applier(r.target)
	if err != nil {
		return nil, err
	}
	if err := applier.Install(ctx, r.target); err != nil {
		return nil, err
	}
	admin, err := r.restConfig()
	if err != nil {
		return nil, err
	}
	issuer, err := credentials.NewIssuer(admin)
	if err != nil {
		return nil, err
	}
	pair, err := issuer.Certificate(ctx, filepath.Join(r.clientFolder(), "apply"), credentials.Client{
		User: install.ApplierUser, Groups: []string{credentials.TracingGroup},
	})
	if err != nil {
		return nil, state.Remedy(err)
	}
	config := rest.AnonymousClientConfig(admin)
	config.CertFile, config.KeyFile = pair.CertFile, pair.KeyFile
	config.Wrap(propagated)
	return install.NewCluster(config, *r.runs)
}

// untrace removes what tracedTarget made, where tracing was on before.
func (r *Run) untrace(ctx context.Context) error {
	if err := os.RemoveAll(r.clientFolder()); err != nil {
		return fmt.Errorf("removing the certificate of %s: %w", install.ApplierUser, state.Remedy(err))
	}
	return install.WithoutApplier().Delete(ctx, r.target)
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
