package install

import (
	"fmt"
	"net"
	"net/url"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/project"
)

// webhookHost is the only name in the certificates of webhooks that run as processes.
const webhookHost = "localhost"

// checkWebhookAddress wants "localhost:PORT": a certificate for another name wouldn't be made.
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

// withoutPods leaves out what only Pods need: nothing runs them where components are processes.
func withoutPods(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, obj := range objects {
		switch obj.GetKind() {
		case "Deployment", "Service":
		default:
			out = append(out, obj)
		}
	}
	return out
}

// callByURL has every webhook of the operator called at an address, in place of its Service.
func callByURL(objects []*unstructured.Unstructured, address string) error {
	for _, obj := range objects {
		for _, config := range project.ClientConfigs(obj) {
			service, ok := config["service"].(map[string]any)
			if !ok {
				return fmt.Errorf("%s: a webhook that isn't called by a Service", describe(obj))
			}
			path, _ := service["path"].(string)
			target := url.URL{Scheme: "https", Host: address, Path: path}
			delete(config, "service")
			config["url"] = target.String()
		}
	}
	return nil
}

// certificateDuration is a year, not cert-manager's 90 days: `sandbox up` copies a certificate to the files that the operator
// serves from, and nothing renews those files until it runs again.
const certificateDuration = "8760h"

// certifyLocalhost has certificates made for the only name that a process is called by.
func certifyLocalhost(objects []*unstructured.Unstructured) error {
	for _, obj := range objects {
		if obj.GetKind() != "Certificate" {
			continue
		}
		spec, ok := obj.Object["spec"].(map[string]any)
		if !ok {
			return fmt.Errorf("%s: no spec", describe(obj))
		}
		if _, names := spec["dnsNames"]; names {
			spec["dnsNames"], spec["duration"] = []any{webhookHost}, certificateDuration
		}
	}
	return nil
}
