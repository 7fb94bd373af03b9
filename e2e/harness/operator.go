package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// Names and images of the sandbox.
const (
	// Service is the operator's name in Jaeger.
	Service = "demo-services-for-tracing"
	// Image and OtherImage are two images that the sandbox has already.
	Image      = "registry.k8s.io/pause:3.10.2"
	OtherImage = "registry.k8s.io/pause:3.10.1"
	// Unpullable is an image that no node can pull: on kind because the host does not exist, on an
	// embedded cluster because its simulated node refuses it.
	Unpullable = "invalid.example/unpullable:v1"

	// rolloutLimit is the timeout of a change of the operator or of Jaeger.
	rolloutLimit = 2 * time.Minute
)

// Variables of the operator that tests may set.
const (
	ExporterVariable         = "OTEL_TRACES_EXPORTER"
	ProtocolVariable         = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	EndpointVariable         = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	ConvergedAgeVariable     = "OPERATOR_CONVERGED_AGE"
	UntrustedContextVariable = "OPERATOR_UNTRUSTED_CONTEXT"
	SamplerVariable          = "OTEL_TRACES_SAMPLER"
	ServiceVariable          = "OTEL_SERVICE_NAME"
	DisabledVariable         = "OTEL_SDK_DISABLED"
)

// operatorVariables are all of them. The sandbox sets only the service name, so that removing the
// others restores the original state.
var operatorVariables = []string{ExporterVariable, ProtocolVariable, EndpointVariable, ConvergedAgeVariable, UntrustedContextVariable, SamplerVariable, ServiceVariable, DisabledVariable}

// SetOperatorEnv sets variables of the operator, removes the variables of earlier calls, and waits until
// only operators with them run. env may only contain the variables that this package names.
func (c *Cluster) SetOperatorEnv(ctx context.Context, env map[string]string) error {
	for name := range env {
		if !slices.Contains(operatorVariables, name) {
			return fmt.Errorf("setting %s of the operator: use one of %v", name, operatorVariables)
		}
	}
	if err := c.setOperatorEnv(ctx, env); err != nil {
		return fmt.Errorf("setting %v of the operator: %w", env, err)
	}
	return nil
}

// setOperatorEnv changes nothing if the sandbox is up with these variables: up would also restore
// what its user removed.
func (c *Cluster) setOperatorEnv(ctx context.Context, env map[string]string) error {
	c.upMu.Lock()
	c.env = maps.Clone(env)
	want := c.variables()
	c.upMu.Unlock()
	status, err := c.program.status(ctx)
	if err != nil {
		return err
	}
	if status.State == StateUp && slices.Equal(slices.Sorted(slices.Values(status.OperatorEnv)), want) {
		return nil
	}
	return c.up(ctx)
}

// up repairs the sandbox as a user does. Its error has the output.
func (c *Cluster) up(ctx context.Context, args ...string) error {
	c.upMu.Lock()
	defer c.upMu.Unlock()
	var output bytes.Buffer
	if err := c.program.up(ctx, &output, append(operatorEnvArgs(c.variables()), args...)...); err != nil {
		return fmt.Errorf("%w; its output:\n%s", err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}

// variables returns all variables that every up needs, as NAME=VALUE: the user's and the tests'.
func (c *Cluster) variables() []string {
	all := map[string]string{}
	maps.Copy(all, c.given)
	maps.Copy(all, c.env)
	return environment(all)
}

// OTLPHTTPEndpoint returns the URL of Jaeger's receiver of traces by OTLP over HTTP, for the operator.
func (c *Cluster) OTLPHTTPEndpoint() string { return "http://" + c.receivers()[1] + "/v1/traces" }

// receivers returns the addresses of Jaeger's receivers, as the operator's variables contain them: OTLP
// over gRPC, OTLP over HTTP, and Jaeger's own protocol.
func (c *Cluster) receivers() []string {
	if c.RunsContainers() {
		const node = "$(" + project.NodeAddress + "):"
		return []string{node + "4317", node + "4318", node + "14268"}
	}
	return c.Status.receivers()
}

// KillOperator ends the leading operator with SIGKILL, so that it cannot export its last spans, and waits
// for its exit. On kind, the kubelet restarts it.
func (c *Cluster) KillOperator(ctx context.Context) error {
	kill := c.killLeader
	if !c.RunsContainers() {
		kill = func(ctx context.Context) error { return c.end(ctx, component.Operator, syscall.SIGKILL) }
	}
	if err := kill(ctx); err != nil {
		return fmt.Errorf("killing the operator: %w", err)
	}
	return nil
}

// StartOperator starts the operator if it does not run, and waits until its webhook answers.
func (c *Cluster) StartOperator(ctx context.Context) error {
	if err := c.up(ctx); err != nil {
		return fmt.Errorf("starting the operator: %w", err)
	}
	return c.WaitAdmission(ctx)
}

// SetOperatorReplicas runs that many operators, one of which leads, and waits for them. An embedded
// cluster can only have one.
func (c *Cluster) SetOperatorReplicas(ctx context.Context, replicas int32) error {
	if c.RunsContainers() {
		operator, err := c.operatorDeployment(ctx)
		if err != nil {
			return err
		}
		if ptr.Deref(operator.Spec.Replicas, 1) == replicas {
			return nil
		}
	} else if replicas == 1 {
		return nil
	}
	if err := c.up(ctx, fmt.Sprintf("--operator-replicas=%d", replicas)); err != nil {
		return fmt.Errorf("scaling the operator to %d: %w", replicas, err)
	}
	return nil
}

// Leader returns the holder of the operator's lease. It is empty without a holder.
func (c *Cluster) Leader(ctx context.Context) (string, error) {
	lease := &coordinationv1.Lease{}
	if err := c.Client.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: leaseName}, lease); err != nil {
		return "", fmt.Errorf("reading the operator's lease: %w", err)
	}
	return ptr.Deref(lease.Spec.HolderIdentity, ""), nil
}

// StopJaeger ends Jaeger and waits for its exit. Its traces are lost, because they are in memory.
func (c *Cluster) StopJaeger(ctx context.Context) error {
	stop := c.removeJaegerPods
	if !c.RunsContainers() {
		stop = func(ctx context.Context) error { return c.end(ctx, component.Jaeger, syscall.SIGTERM) }
	}
	if err := stop(ctx); err != nil {
		return fmt.Errorf("stopping Jaeger: %w", err)
	}
	return nil
}

// StartJaeger starts Jaeger if it does not answer, and waits until it does.
func (c *Cluster) StartJaeger(ctx context.Context) error {
	if _, err := c.Jaeger.Services(ctx); err == nil {
		return nil
	}
	if err := c.up(ctx); err != nil {
		return fmt.Errorf("starting Jaeger: %w", err)
	}
	return Eventually(ctx, rolloutLimit, "Jaeger to answer", func(ctx context.Context) error {
		_, err := c.Jaeger.Services(ctx)
		return err
	})
}

// WaitAdmission waits until the API server calls the webhook: the result of a dry run of a Head has
// a trace context. A dry run creates no span.
func (c *Cluster) WaitAdmission(ctx context.Context) error {
	return Eventually(ctx, rolloutLimit, "the webhook to admit Heads", func(ctx context.Context) error {
		head, err := c.dryRun(ctx)
		if err != nil {
			return err
		}
		if _, _, err := tracetree.TraceIDOf(head.Annotations); err != nil {
			return fmt.Errorf("a Head created in a dry run has %w", err)
		}
		return nil
	})
}

// dryRun returns a Head after admission, without storing it.
func (c *Cluster) dryRun(ctx context.Context) (*v1alpha1.Head, error) {
	head := NewHead(metav1.NamespaceDefault, "")
	head.GenerateName = "e2e-probe-"
	if err := c.Client.Create(ctx, head, client.DryRunAll); err != nil {
		return nil, fmt.Errorf("creating a Head in a dry run: %w", err)
	}
	return head, nil
}

// NewHead returns a Head with an image that the sandbox has already.
func NewHead(namespace, name string) *v1alpha1.Head {
	return &v1alpha1.Head{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.HeadSpec{ChildA: Image},
	}
}

// HeadReady reports whether a Head is ready at its generation, with a description of its state.
func HeadReady(head *v1alpha1.Head) (ready bool, state string) {
	state = fmt.Sprintf("Head %s/%s: no condition Ready yet", head.Namespace, head.Name)
	for _, c := range head.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			state = fmt.Sprintf("Head %s/%s: Ready is %s at generation %d of %d: %s: %s",
				head.Namespace, head.Name, c.Status, c.ObservedGeneration, head.Generation, c.Reason, c.Message)
			ready = c.Status == metav1.ConditionTrue && c.ObservedGeneration == head.Generation &&
				head.Status.Ready && head.Status.ObservedGeneration == head.Generation
		}
	}
	return ready, state
}

// ReadinessCheck reads the state of an object for a wait for its trace; see [tracetree.Conditions].
type ReadinessCheck = func(context.Context) (tracetree.Readiness, error)

// ReadyCheck returns a check for the readiness of a Head.
func (c *Cluster) ReadyCheck(namespace, name string) ReadinessCheck {
	return func(ctx context.Context) (tracetree.Readiness, error) {
		head := &v1alpha1.Head{}
		err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, head)
		if apierrors.IsNotFound(err) {
			return tracetree.Readiness{State: fmt.Sprintf("Head %s/%s does not exist", namespace, name)}, nil
		}
		if err != nil {
			return tracetree.Readiness{}, fmt.Errorf("reading Head %s/%s: %w", namespace, name, err)
		}
		ready, state := HeadReady(head)
		return tracetree.Readiness{Ready: ready, State: state, Since: tracetree.LastWrite(head)}, nil
	}
}

// GoneCheck returns a check for the absence of a Head.
func (c *Cluster) GoneCheck(namespace, name string) ReadinessCheck {
	return func(ctx context.Context) (tracetree.Readiness, error) {
		head := &v1alpha1.Head{}
		err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, head)
		switch {
		case apierrors.IsNotFound(err):
			return tracetree.Readiness{Ready: true}, nil
		case err != nil:
			return tracetree.Readiness{}, fmt.Errorf("reading Head %s/%s: %w", namespace, name, err)
		}
		state := fmt.Sprintf("Head %s/%s exists: deleted at %v, finalizers %v", namespace, name, head.DeletionTimestamp, head.Finalizers)
		return tracetree.Readiness{State: state}, nil
	}
}

// GenerationTraceID returns the id of the trace for a generation of an object without a context,
// such as its deletion. It is the same in all processes.
func GenerationTraceID(obj client.Object, generation int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", obj.GetUID(), generation))
	return hex.EncodeToString(sum[:16])
}
