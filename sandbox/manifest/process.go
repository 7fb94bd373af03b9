package manifest

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// webhookHost is the only name in the certificates of webhooks that run as processes.
const webhookHost = "localhost"

// checkWebhookAddress checks for "localhost:PORT", because certificates are only for localhost.
func checkWebhookAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("webhook address %q: %w", address, err)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 || host != webhookHost {
		return fmt.Errorf("webhook address %q: want %s and a port", address, webhookHost)
	}
	return nil
}

// withoutPods leaves out the objects that only Pods need.
func withoutPods(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(obj *unstructured.Unstructured) bool {
		return slices.Contains([]string{"Deployment", "StatefulSet", "Service"}, obj.GetKind())
	})
}

// callByURL makes the API server call every webhook at an address instead of its Service.
func callByURL(objects []*unstructured.Unstructured, address string) error {
	for _, obj := range objects {
		for _, config := range project.ClientConfigs(obj) {
			service, ok := config["service"].(map[string]any)
			if !ok {
				return fmt.Errorf("%s: a webhook has no Service", apply.Describe(obj))
			}
			path, _ := service["path"].(string)
			target := url.URL{Scheme: "https", Host: address, Path: path}
			delete(config, "service")
			config["url"] = target.String()
		}
	}
	return nil
}

// certificateDuration is a year instead of the default of 90 days. `sandbox up` copies a
// certificate to files for the operator, and only the next `sandbox up` renews them.
const certificateDuration = "8760h"

// certifyLocalhost changes serving certificates to the name localhost.
func certifyLocalhost(objects []*unstructured.Unstructured) error {
	for _, obj := range objects {
		if obj.GetKind() != "Certificate" {
			continue
		}
		spec, ok := obj.Object["spec"].(map[string]any)
		if !ok {
			return fmt.Errorf("%s: no spec", apply.Describe(obj))
		}
		if _, names := spec["dnsNames"]; names {
			spec["dnsNames"], spec["duration"] = []any{webhookHost}, certificateDuration
		}
	}
	return nil
}
