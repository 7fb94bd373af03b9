package project

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

// usualWebhookPort is the default port of controller-runtime.
const usualWebhookPort = 9443

// ClientConfigs returns the clientConfig fields of an object, of admission webhooks or of a
// definition's conversion webhook. Changes to them change the object.
func ClientConfigs(obj *unstructured.Unstructured) []map[string]any {
	switch obj.GetKind() {
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		var all []map[string]any
		for _, hook := range kinds.Maps(obj.Object, "webhooks") {
			if config, ok := hook["clientConfig"].(map[string]any); ok {
				all = append(all, config)
			}
		}
		return all
	case "CustomResourceDefinition":
		field, _, _ := unstructured.NestedFieldNoCopy(obj.Object, "spec", "conversion", "webhook", "clientConfig")
		if config, ok := field.(map[string]any); ok {
			return []map[string]any{config}
		}
	}
	return nil
}

// webhookServices returns the names and ports of the Services through which the API server calls
// the operator.
func (m *Manifests) webhookServices() map[string]int64 {
	ports := map[string]int64{}
	for _, obj := range m.Objects {
		for _, config := range ClientConfigs(obj) {
			service, ok := config["service"].(map[string]any)
			if !ok {
				continue
			}
			name, _ := service["name"].(string)
			port, given := service["port"].(int64)
			if !given {
				port = 443
			}
			ports[name] = port
		}
	}
	return ports
}

// HasWebhook reports whether the API server calls the operator.
func (m *Manifests) HasWebhook() bool { return len(m.webhookServices()) > 0 }

// WebhookPort returns the port on which the webhook of the process listens. It returns 0 if the
// arguments contain the port, so that the sandbox can choose it, or if the operator has no webhook.
func (m *Manifests) WebhookPort() int {
	services := m.webhookServices()
	if len(services) == 0 || m.refersTo("WEBHOOK_PORT") {
		return 0
	}
	for _, obj := range m.Objects {
		wanted, called := services[obj.GetName()]
		if obj.GetKind() != "Service" || !called {
			continue
		}
		for _, port := range kinds.Maps(obj.Object, "spec", "ports") {
			if port["port"] == wanted {
				return m.targetPort(port["targetPort"])
			}
		}
	}
	return usualWebhookPort
}

// targetPort returns the container port of a Service's target port.
func (m *Manifests) targetPort(target any) int {
	if number, ok := target.(int64); ok {
		return int(number)
	}
	for _, port := range m.container().Ports {
		if port.Name == target {
			return int(port.ContainerPort)
		}
	}
	return usualWebhookPort
}
