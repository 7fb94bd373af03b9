package harness

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
)

// What the sandbox installs.
const (
	OperatorNamespace = "operator-tracing-system"
	JaegerNamespace   = "jaeger"
	// Service is the operator's name in Jaeger.
	Service = "demo-services-for-tracing"
	// Image and OtherImage are two images that the sandbox has at hand.
	Image      = "registry.k8s.io/pause:3.10.2"
	OtherImage = "registry.k8s.io/pause:3.10.1"
	// ExporterVariable chooses the operator's exporter.
	ExporterVariable = "OTEL_TRACES_EXPORTER"

	managerContainer = "manager"
	rolloutLimit     = 2 * time.Minute
)

// managerLabels are the operator's own: its Deployment's name depends on the
// prefix of the manifests.
var managerLabels = client.MatchingLabels{
	"app.kubernetes.io/name": "operator-tracing", "app.kubernetes.io/component": "manager",
}

// operator gives the operator's Deployment.
func (c *Cluster) operator(ctx context.Context) (*appsv1.Deployment, error) {
	list := &appsv1.DeploymentList{}
	if err := c.Client.List(ctx, list, client.InNamespace(OperatorNamespace), managerLabels); err != nil {
		return nil, fmt.Errorf("finding the operator's Deployment: %w", err)
	}
	if len(list.Items) != 1 {
		return nil, fmt.Errorf("finding the operator's Deployment: %d in namespace %s have its labels, want 1", len(list.Items), OperatorNamespace)
	}
	return &list.Items[0], nil
}

// SetOperatorEnv sets a variable of the operator's container, or removes it where
// the value is empty, and waits until pods with it run and all others are gone.
func (c *Cluster) SetOperatorEnv(ctx context.Context, name, value string) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		d, err := c.operator(ctx)
		if err != nil {
			return err
		}
		if !setEnv(d, name, value) {
			return nil
		}
		return c.Client.Update(ctx, d)
	})
	if err != nil {
		return fmt.Errorf("setting %s=%q of the operator: %w", name, value, err)
	}
	return Eventually(ctx, rolloutLimit, "the operator's rollout", func(ctx context.Context) error {
		d, err := c.operator(ctx)
		if err != nil {
			return err
		}
		return c.settled(ctx, d)
	})
}

// settled is rolledOut, and that no pod of another template is left: an operator
// that is ending may still hold the lease, and answer the webhook's calls.
func (c *Cluster) settled(ctx context.Context, d *appsv1.Deployment) error {
	if err := rolledOut(d); err != nil {
		return err
	}
	pods, err := c.podsOf(ctx, d)
	if err != nil {
		return err
	}
	if len(pods) != int(d.Status.Replicas) {
		return fmt.Errorf("deployment %s/%s: %d pods are there, want %d", d.Namespace, d.Name, len(pods), d.Status.Replicas)
	}
	return nil
}

// setEnv changes the template and reports whether there was anything to change.
func setEnv(d *appsv1.Deployment, name, value string) bool {
	containers := d.Spec.Template.Spec.Containers
	at := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == managerContainer })
	if at < 0 {
		return false
	}
	container := &containers[at]
	i := slices.IndexFunc(container.Env, func(e corev1.EnvVar) bool { return e.Name == name })
	switch {
	case value == "" && i < 0, i >= 0 && value != "" && container.Env[i].Value == value:
		return false
	case value == "":
		container.Env = slices.Delete(container.Env, i, i+1)
	case i < 0:
		container.Env = append(container.Env, corev1.EnvVar{Name: name, Value: value})
	default:
		container.Env[i] = corev1.EnvVar{Name: name, Value: value}
	}
	return true
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

// ScaleJaeger sets the number of Jaeger's pods, and waits until that many run and
// answer. Jaeger keeps traces in memory: scaled to 0, they are lost.
func (c *Cluster) ScaleJaeger(ctx context.Context, replicas int32) error {
	key := client.ObjectKey{Namespace: JaegerNamespace, Name: "jaeger"}
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		d := &appsv1.Deployment{}
		if err := c.Client.Get(ctx, key, d); err != nil {
			return err
		}
		if d.Spec.Replicas != nil && *d.Spec.Replicas == replicas {
			return nil
		}
		d.Spec.Replicas = &replicas
		return c.Client.Update(ctx, d)
	})
	if err != nil {
		return fmt.Errorf("scaling Jaeger to %d: %w", replicas, err)
	}
	return Eventually(ctx, rolloutLimit, fmt.Sprintf("%d pods of Jaeger", replicas), func(ctx context.Context) error {
		d := &appsv1.Deployment{}
		if err := c.Client.Get(ctx, key, d); err != nil {
			return err
		}
		if err := c.settled(ctx, d); err != nil || replicas == 0 {
			return err
		}
		_, err := c.Jaeger.Services(ctx)
		return err
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
