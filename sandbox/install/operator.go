package install

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// operatorProgram is the operator's program in an image that the sandbox built.
const operatorProgram = "operator"

// OperatorOptions configures [Operator].
type OperatorOptions struct {
	// Manifests are what installs it. They are not changed. Required.
	Manifests *project.Manifests
	// Image is the image of its manager. Required unless WebhookAddress is set. An empty pull policy is Never: the node has it.
	Image Image
	// Version is what status reports; empty means the image reference.
	Version string
	// Env are environment variables for its manager, over all that its manifests and its sandbox.yaml say.
	Env map[string]string
	// Telemetry is where its spans go; the zero value is the sandbox's Jaeger on the node's own network.
	Telemetry project.Telemetry
	// Replicas is how many Pods it has; zero leaves that to its manifests.
	Replicas int
	// Client is who the operator is to the API server; nil leaves it its service account's token. It is for Pods alone.
	Client *OperatorClient
	// WebhookAddress is "localhost:PORT" where the operator is a process beside the API server: its webhooks are called
	// there, and neither Deployment nor Services are rendered. Then Version is required, and Image and Env don't matter.
	// Empty means a Pod.
	WebhookAddress string
}

// Operator renders the operator from its manifests, with what the sandbox adds: the image, and the variables by which it sends
// its spans to the sandbox's Jaeger. It may need cert-manager: Apply waits for a webhook's certificate before it makes the
// Deployment. With a WebhookAddress certificates are for localhost, and Apply returns with their Secrets there for the process
// to serve from.
func Operator(o OperatorOptions) (*Component, error) {
	render := operatorPod
	if o.WebhookAddress != "" {
		render = operatorProcess
	}
	rendered, err := render(o)
	if err != nil {
		return nil, fmt.Errorf("rendering the operator: %w", err)
	}
	return rendered, nil
}

func operatorPod(o OperatorOptions) (*Component, error) {
	if _, _, _, err := o.Image.split(); err != nil {
		return nil, err
	}
	objects := copies(o.Manifests.Objects)
	manager, err := managerContainer(objects, o.Manifests)
	if err != nil {
		return nil, err
	}
	manager["image"], manager["imagePullPolicy"] = o.Image.Ref, "Never"
	if o.Image.PullPolicy != "" {
		manager["imagePullPolicy"] = string(o.Image.PullPolicy)
	}
	if command, _ := manager["command"].([]any); len(command) > 0 && o.Manifests.Built() {
		command[0] = "/" + operatorProgram // What the image has, whatever the project's own has.
	}
	// Somebody is waiting. kubebuilder's own probe begins after 5 seconds, and asks every 10.
	if probe, ok := manager["readinessProbe"].(map[string]any); ok {
		probe["initialDelaySeconds"], probe["periodSeconds"] = int64(0), int64(1)
	}
	addEnv(manager, o.Telemetry.Variables(o.Manifests.ServiceName))
	setEnv(manager, o.Manifests.Env(o.Env))
	if o.Replicas > 0 {
		if err := setReplicas(objects, o.Manifests, o.Replicas); err != nil {
			return nil, err
		}
	}
	if o.Client != nil {
		secret, err := o.Client.mount(objects, o.Manifests)
		if err != nil {
			return nil, err
		}
		objects = append(objects, secret)
	}
	version := o.Version
	if version == "" {
		version = o.Image.Ref
	}
	return newComponent(component.Operator, version, objects), nil
}

func operatorProcess(o OperatorOptions) (*Component, error) {
	if err := checkWebhookAddress(o.WebhookAddress); err != nil {
		return nil, err
	}
	if o.Version == "" {
		return nil, errors.New("no version")
	}
	objects := withoutPods(copies(o.Manifests.Objects))
	if err := callByURL(objects, o.WebhookAddress); err != nil {
		return nil, err
	}
	if err := certifyLocalhost(objects); err != nil {
		return nil, err
	}
	return newComponent(component.Operator, o.Version, objects), nil
}

func copies(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	out := make([]*unstructured.Unstructured, 0, len(objects))
	for _, obj := range objects {
		out = append(out, obj.DeepCopy())
	}
	return out
}

// setReplicas sets how many Pods the manager's Deployment has.
func setReplicas(objects []*unstructured.Unstructured, m *project.Manifests, replicas int) error {
	deployment, err := managerDeployment(objects, m)
	if err != nil {
		return err
	}
	return unstructured.SetNestedField(deployment.Object, int64(replicas), "spec", "replicas")
}

// managerContainer is the manager's container among objects, for changes in place.
func managerContainer(objects []*unstructured.Unstructured, m *project.Manifests) (map[string]any, error) {
	deployment, err := managerDeployment(objects, m)
	if err != nil {
		return nil, err
	}
	return container(deployment, m.Deployment.Spec.Template.Spec.Containers[m.Container].Name)
}

// managerDeployment is the manager's Deployment among objects, for changes in place.
func managerDeployment(objects []*unstructured.Unstructured, m *project.Manifests) (*unstructured.Unstructured, error) {
	for _, obj := range objects {
		if obj.GetKind() == "Deployment" && obj.GetNamespace() == m.Deployment.Namespace && obj.GetName() == m.Deployment.Name {
			return obj, nil
		}
	}
	return nil, fmt.Errorf("no Deployment %s/%s", m.Deployment.Namespace, m.Deployment.Name)
}

// addEnv adds variables that a container does not have. They come first, so that the container's own may refer to them.
func addEnv(container map[string]any, variables []project.Variable) {
	list, _ := container["env"].([]any)
	var added []any
	for _, v := range variables {
		if indexEnv(list, v.Name) >= 0 {
			continue
		}
		entry := map[string]any{"name": v.Name, "value": v.Value}
		if v.FieldPath != "" {
			entry = map[string]any{"name": v.Name, "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": v.FieldPath}}}
		}
		added = append(added, entry)
	}
	container["env"] = append(added, list...)
}

// setEnv sets variables of a container, in the order of their names. A variable that is there keeps its place, because
// later ones may refer to it.
func setEnv(container map[string]any, env map[string]string) {
	list, _ := container["env"].([]any)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		entry := any(map[string]any{"name": name, "value": env[name]})
		if at := indexEnv(list, name); at < 0 {
			list = append(list, entry)
		} else {
			list[at] = entry
		}
	}
	if len(list) > 0 {
		container["env"] = list
	}
}

func indexEnv(list []any, name string) int {
	return slices.IndexFunc(list, func(item any) bool {
		m, _ := item.(map[string]any)
		return m["name"] == name
	})
}

// operatorReady creates an object like the sample as a dry run. A webhook that can't be reached fails it, unless its failure
// policy is Ignore: then what the webhook adds must be there, if the subject says what that is. Who is denied, by a webhook or by
// the kind's schema, has been answered. Dry runs leave no span.
func operatorReady(ctx context.Context, c *Cluster) error {
	sample := c.subject.Samples[0]
	obj := sample.DeepCopy()
	obj.SetName("")
	obj.SetGenerateName("sandbox-check-")
	what := fmt.Sprintf("creating a %s as a dry run", sample.GetKind())
	err := c.client.Create(ctx, obj, client.DryRunAll)
	annotation := c.subject.Annotation
	switch {
	case err != nil && (annotation != "" || passes(err) || !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) && !apierrors.IsBadRequest(err)):
		return fmt.Errorf("%s: %w", what, err)
	case annotation != "" && obj.GetAnnotations()[annotation] == "":
		return fmt.Errorf("%s: the operator's webhook added no annotation %s", what, annotation)
	}
	return nil
}
