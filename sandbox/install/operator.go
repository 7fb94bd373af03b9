package install

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/config"
)

// HeadKind is the kind of the objects that the operator reconciles first.
var HeadKind = schema.GroupVersionKind{Group: "dummy.example.com", Version: "v1alpha1", Kind: "Head"}

const (
	// traceparentAnnotation is what the operator's webhook adds to every Head.
	traceparentAnnotation = "tracing.k8s.io/traceparent"
	// defaultNamespace is where objects without a namespace of their own go, as with kubectl.
	defaultNamespace = "default"
)

// OperatorOptions configures [Operator].
type OperatorOptions struct {
	// Image is the operator's image. Required unless WebhookAddress is set. An empty pull policy leaves the overlay's,
	// which is Never.
	Image Image
	// Version is what status reports; empty means the image reference.
	Version string
	// Env are environment variables for the operator's container, added to the overlay's or replacing them.
	Env map[string]string
	// WebhookAddress is "localhost:PORT" where the operator is a process beside the API server: its webhook is called
	// there, and neither Deployment nor Service is rendered. Then Version is required, and Image and Env don't matter.
	// Empty means a Pod.
	WebhookAddress string
}

// Operator renders the operator from the sandbox's overlay: definitions, RBAC, manager, webhook and certificate. It
// needs cert-manager: Apply waits for the webhook's certificate before it makes the Deployment. With a WebhookAddress the
// overlay is the embedded one, and Apply returns with the certificate's Secret there for the process to serve from.
func Operator(o OperatorOptions) (*Component, error) {
	render := operatorPod
	if o.WebhookAddress != "" {
		render = operatorProcess
	}
	component, err := render(o)
	if err != nil {
		return nil, fmt.Errorf("rendering the operator: %w", err)
	}
	return component, nil
}

func operatorPod(o OperatorOptions) (*Component, error) {
	if _, _, _, err := o.Image.split(); err != nil {
		return nil, err
	}
	objects, err := config.Build("sandbox", o.Image.Ref)
	if err != nil {
		return nil, err
	}
	manager, err := onlyContainer(objects, "manager")
	if err != nil {
		return nil, err
	}
	if o.Image.PullPolicy != "" {
		manager["imagePullPolicy"] = string(o.Image.PullPolicy)
	}
	setEnv(manager, o.Env)
	version := o.Version
	if version == "" {
		version = o.Image.Ref
	}
	return newComponent(OperatorName, version, objects), nil
}

func operatorProcess(o OperatorOptions) (*Component, error) {
	if err := checkWebhookAddress(o.WebhookAddress); err != nil {
		return nil, err
	}
	if o.Version == "" {
		return nil, errors.New("no version")
	}
	objects, err := config.Build("embedded", "")
	if err != nil {
		return nil, err
	}
	if err := setWebhookAddress(objects, o.WebhookAddress); err != nil {
		return nil, err
	}
	return newComponent(OperatorName, o.Version, objects), nil
}

// setEnv sets variables of a container, in the order of their names. A variable that is there keeps its place, because
// later ones may refer to it.
func setEnv(container map[string]any, env map[string]string) {
	list, _ := container["env"].([]any)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		entry := any(map[string]any{"name": name, "value": env[name]})
		at := slices.IndexFunc(list, func(item any) bool {
			m, _ := item.(map[string]any)
			return m["name"] == name
		})
		if at < 0 {
			list = append(list, entry)
		} else {
			list[at] = entry
		}
	}
	if len(list) > 0 {
		container["env"] = list
	}
}

// operatorReady creates a Head as a dry run and looks for the trace context that the operator's webhook adds. The
// webhook's failure policy is Ignore, so acceptance alone proves nothing. Dry runs leave no span.
func operatorReady(ctx context.Context, c *Cluster) error {
	head := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"child_a": "sandbox.test/check:v1"}}}
	head.SetGroupVersionKind(HeadKind)
	head.SetNamespace(defaultNamespace)
	head.SetGenerateName("sandbox-check-")
	if err := c.client.Create(ctx, head, client.DryRunAll); err != nil {
		return fmt.Errorf("creating a Head as a dry run: %w", err)
	}
	if head.GetAnnotations()[traceparentAnnotation] == "" {
		return fmt.Errorf("creating a Head as a dry run: the operator's webhook added no annotation %s", traceparentAnnotation)
	}
	return nil
}

// SampleOptions configures [Sample].
type SampleOptions struct {
	// Namespace is where the Head goes; empty means "default". It must exist.
	Namespace string
	// Image is what the Head's ChildA runs; empty keeps the sample's own.
	Image string
}

// Sample renders the sample Head of config/samples. It is ready when its Ready condition is True for the current
// generation.
func Sample(o SampleOptions) (*Component, error) {
	objects, err := config.Build("samples", "")
	if err != nil {
		return nil, err
	}
	namespace := o.Namespace
	if namespace == "" {
		namespace = defaultNamespace
	}
	for _, obj := range objects {
		obj.SetNamespace(namespace)
		if o.Image == "" || obj.GroupVersionKind() != HeadKind {
			continue
		}
		if err := unstructured.SetNestedField(obj.Object, o.Image, "spec", "child_a"); err != nil {
			return nil, fmt.Errorf("rendering %s: %w", describe(obj), err)
		}
	}
	return newComponent(SampleName, "", objects), nil
}

// sampleReady looks at every sample Head there is.
func sampleReady(ctx context.Context, c *Cluster) error {
	heads, err := mainObjects(ctx, c, SampleName)
	if err != nil {
		return err
	}
	if len(heads) == 0 {
		return errors.New("no sample Head")
	}
	for i := range heads {
		if err := Ready(&heads[i]); err != nil {
			return fmt.Errorf("%s: %w", describe(&heads[i]), err)
		}
	}
	return nil
}
