package harness

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
)

// What the sandbox installs.
const (
	// Service is the operator's name in Jaeger.
	Service = "demo-services-for-tracing"
	// Image and OtherImage are two images that the sandbox has at hand.
	Image      = "registry.k8s.io/pause:3.10.2"
	OtherImage = "registry.k8s.io/pause:3.10.1"
	// ExporterVariable chooses the operator's exporter.
	ExporterVariable = "OTEL_TRACES_EXPORTER"

	// rolloutLimit bounds a change of the operator or of Jaeger.
	rolloutLimit = 2 * time.Minute
)

// SetOperatorEnv sets a variable of the operator, or takes it back where the value
// is empty, and waits until one with it runs and all others are gone. Only one
// variable may be set at a time.
func (c *Cluster) SetOperatorEnv(ctx context.Context, name, value string) error {
	if err := c.parts.setOperatorEnv(ctx, name, value); err != nil {
		return fmt.Errorf("setting %s=%q of the operator: %w", name, value, err)
	}
	return nil
}

// StopJaeger ends Jaeger, and waits until it is gone. It keeps traces in memory:
// they are lost.
func (c *Cluster) StopJaeger(ctx context.Context) error {
	if err := c.parts.stopJaeger(ctx); err != nil {
		return fmt.Errorf("stopping Jaeger: %w", err)
	}
	return nil
}

// StartJaeger is the opposite, and waits until Jaeger answers. One that runs is
// left alone.
func (c *Cluster) StartJaeger(ctx context.Context) error {
	if err := c.parts.startJaeger(ctx); err != nil {
		return fmt.Errorf("starting Jaeger: %w", err)
	}
	return Eventually(ctx, rolloutLimit, "Jaeger to answer", func(ctx context.Context) error {
		_, err := c.Jaeger.Services(ctx)
		return err
	})
}

// WaitAdmission waits until the API server calls the webhook: a dry run of a Head
// comes back with a trace context. A dry run leaves no span.
func (c *Cluster) WaitAdmission(ctx context.Context) error {
	return Eventually(ctx, rolloutLimit, "the webhook to admit Heads", func(ctx context.Context) error {
		head := NewHead(metav1.NamespaceDefault, "")
		head.GenerateName = "e2e-probe-"
		if err := c.Client.Create(ctx, head, client.DryRunAll); err != nil {
			return fmt.Errorf("creating a Head in a dry run: %w", err)
		}
		if _, _, err := jaeger.TraceIDOf(head.Annotations); err != nil {
			return fmt.Errorf("a Head created in a dry run has %w", err)
		}
		return nil
	})
}

// NewHead makes a Head that runs an image at hand.
func NewHead(namespace, name string) *v1alpha1.Head {
	return &v1alpha1.Head{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.HeadSpec{ChildA: Image},
	}
}

// headReady words the state of a Head, and whether it is ready at its generation.
func headReady(head *v1alpha1.Head) (ready bool, state string) {
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

// ReadyCheck reports the readiness of a Head, in the form that waiting for its
// trace wants.
func (c *Cluster) ReadyCheck(namespace, name string) func(context.Context) (bool, string, error) {
	return func(ctx context.Context) (bool, string, error) {
		head := &v1alpha1.Head{}
		err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, head)
		if apierrors.IsNotFound(err) {
			return false, fmt.Sprintf("Head %s/%s does not exist", namespace, name), nil
		}
		if err != nil {
			return false, "", fmt.Errorf("reading Head %s/%s: %w", namespace, name, err)
		}
		ready, state := headReady(head)
		return ready, state, nil
	}
}
