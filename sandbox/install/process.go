package install

import (
	"fmt"
	"net"
	"net/url"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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

// setWebhookAddress replaces host and port of every webhook among objects that is called by URL.
func setWebhookAddress(objects []*unstructured.Unstructured, address string) error {
	for _, obj := range objects {
		if obj.GetKind() != "MutatingWebhookConfiguration" {
			continue
		}
		// NestedFieldNoCopy, so that a change reaches the object.
		field, _, err := unstructured.NestedFieldNoCopy(obj.Object, "webhooks")
		if err != nil {
			return fmt.Errorf("%s: %w", describe(obj), err)
		}
		hooks, _ := field.([]any)
		for _, item := range hooks {
			hook, _ := item.(map[string]any)
			text, _, err := unstructured.NestedString(hook, "clientConfig", "url")
			if err != nil || text == "" {
				return fmt.Errorf("%s: webhook %v isn't called by URL", describe(obj), hook["name"])
			}
			target, err := url.Parse(text)
			if err != nil {
				return fmt.Errorf("%s: %w", describe(obj), err)
			}
			target.Host = address
			if err := unstructured.SetNestedField(hook, target.String(), "clientConfig", "url"); err != nil {
				return fmt.Errorf("%s: %w", describe(obj), err)
			}
		}
	}
	return nil
}
