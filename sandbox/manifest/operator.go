package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// operatorProgram is the name of the operator's program in an image that the sandbox built.
const operatorProgram = "operator"

// OperatorOptions configures [Operator].
type OperatorOptions struct {
	// Manifests install the operator. [Operator] does not change them. Required.
	Manifests *project.Manifests
	// Image is the image of the manager. Required unless WebhookAddress is set.
	Image Image
	// Version is the version that status reports; empty means the image reference.
	Version string
	// Env are environment variables of the manager. They override its manifests and sandbox.yaml.
	Env map[string]string
	// Telemetry is the destination of its spans; the zero value is the sandbox's Jaeger on the
	// network of the node.
	Telemetry project.Telemetry
	// Replicas is the number of Pods; zero means the number in the manifests.
	Replicas int
	// Client is the identity of the operator's Pods for the API server; nil means the token of their
	// service account.
	Client *OperatorClient
	// WebhookAddress is "localhost:PORT" if the operator is a process beside the API server. The API
	// server then calls webhooks at that address; no Deployment and no Services are rendered. Version
	// is then required, and Image and Env have no effect. Empty means a Pod.
	WebhookAddress string
}

// Operator renders the operator from its manifests. It adds the image, and the variables that send
// spans to the sandbox's Jaeger. The operator may need certificates: Apply waits for a webhook's
// certificate before it creates the Deployment. With a WebhookAddress the certificates are for
// localhost, and their Secrets exist when Apply returns.
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
	objects := copies(o.Manifests.Objects)
	original := o.Manifests.Deployment
	deployment, manager, err := deploymentOf(objects, original.Namespace, original.Name, original.Spec.Template.Spec.Containers[o.Manifests.Container].Name)
	if err != nil {
		return nil, err
	}
	if err := o.Image.set(manager); err != nil {
		return nil, err
	}
	if command, _ := manager["command"].([]any); len(command) > 0 && o.Manifests.Built() {
		command[0] = "/" + operatorProgram // The project's own image may have another name.
	}
	// The probe of kubebuilder starts after 5 seconds and repeats every 10. The user waits for it.
	if probe, ok := manager["readinessProbe"].(map[string]any); ok {
		probe["initialDelaySeconds"], probe["periodSeconds"] = int64(0), int64(1)
	}
	addEnv(manager, o.Telemetry.Variables(o.Manifests.ServiceName))
	setEnv(manager, o.Manifests.Env(o.Env))
	if o.Replicas > 0 {
		if err := unstructured.SetNestedField(deployment.Object, int64(o.Replicas), "spec", "replicas"); err != nil {
			return nil, err
		}
	}
	if o.Client != nil {
		secret, err := o.Client.mount(deployment, manager)
		if err != nil {
			return nil, err
		}
		objects = append(objects, secret)
	}
	return newComponent(component.Operator, cmp.Or(o.Version, o.Image.Ref), objects), nil
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

// addEnv adds variables that a container does not have. They are first, so that the container's own
// variables may refer to them.
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

// setEnv sets variables of a container, sorted by name. A variable that exists keeps its place,
// because later variables may refer to it.
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
